#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>

namespace picket::command_line {
namespace {

constexpr std::string_view kEllipsis = "…";
constexpr std::string_view kGap = "  ";
constexpr int kNarrowestColumn = 6;
/// What a column that shrinks keeps, as long as there is an optional one to leave out instead.
constexpr int kReadableColumn = 20;

struct Range {
    char32_t first;
    char32_t last;
    int width;
};

/// Where a code point does not take one column. Coarse on purpose: blocks, not characters.
constexpr Range kUnusualWidths[] = {
    {0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0}, {0x0610, 0x061a, 0}, {0x064b, 0x065f, 0},
    {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0}, {0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2},
    {0x3041, 0xa4cf, 2},   {0xa960, 0xa97f, 2},   {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},
    {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2},
    {0x20000, 0x3fffd, 2}, {0xe0100, 0xe01ef, 0},
};

/// One code point of valid UTF-8 and the columns it takes; an invalid byte counts as one column.
struct Glyph {
    std::size_t bytes;
    int width;
};

Glyph next_glyph(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 1 || length > text.size())
        return {1, 1};
    char32_t value = lead & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i)
        value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
    for (const Range& range : kUnusualWidths)
        if (value >= range.first && value <= range.last)
            return {length, range.width};
    return {length, 1};
}

/// The longest start of `text` that takes at most `width` columns.
std::string_view head_of(std::string_view text, int width) {
    std::size_t end = 0;
    while (end < text.size()) {
        const Glyph glyph = next_glyph(text.substr(end));
        if (glyph.width > width)
            break;
        width -= glyph.width;
        end += glyph.bytes;
    }
    return text.substr(0, end);
}

/// The longest end of `text` that takes at most `width` columns.
std::string_view tail_of(std::string_view text, int width) {
    int drop = display_width(text) - width;
    while (drop > 0 && !text.empty()) {
        const Glyph glyph = next_glyph(text);
        drop -= glyph.width;
        text.remove_prefix(glyph.bytes);
    }
    return text;
}

std::string shorten(std::string_view text, int width, Shrink how) {
    return how == Shrink::middle ? shorten_middle(text, width) : shorten_end(text, width);
}

int total(const std::vector<int>& widths) {
    int sum = static_cast<int>(kGap.size()) * (static_cast<int>(widths.size()) - 1);
    for (const int width : widths)
        sum += width;
    return sum;
}

/// Takes columns from the widest that may shrink, one at a time, until the line fits.
void fit(std::vector<int>& widths, const std::vector<Column>& columns, int available) {
    for (int over = total(widths) - available; over > 0; --over) {
        std::size_t widest = columns.size();
        for (std::size_t i = 0; i < columns.size(); ++i)
            if (columns[i].shrink != Shrink::never && widths[i] > kNarrowestColumn &&
                (widest == columns.size() || widths[i] > widths[widest]))
                widest = i;
        if (widest == columns.size())
            return;
        --widths[widest];
    }
}

std::string cell_text(const data::Json& row, const Column& column) {
    constexpr std::size_t kSecond = std::string_view("2026-11-24T22:56:51").size();
    std::string text = value_text(row, column.field);
    if (!column.time || text.size() <= kSecond || text[10] != 'T')
        return text;
    text.resize(kSecond);
    text[10] = ' ';
    return text;
}

std::vector<int> widths_of(const std::vector<Column>& columns, const data::Json& rows) {
    std::vector<int> widths;
    for (const Column& column : columns) {
        int width = display_width(column.title);
        for (const data::Json& row : rows)
            width = std::max(width, display_width(cell_text(row, column)));
        widths.push_back(width);
    }
    return widths;
}

/// Without optional columns that would leave the others less than is readable.
std::vector<Column> columns_for(std::vector<Column> columns, const data::Json& rows, int available) {
    for (;;) {
        std::vector<int> least = widths_of(columns, rows);
        for (std::size_t i = 0; i < columns.size(); ++i)
            if (columns[i].shrink != Shrink::never)
                least[i] = std::min(least[i], kReadableColumn);
        const auto last =
            std::find_if(columns.rbegin(), columns.rend(), [](const Column& column) { return column.optional; });
        if (total(least) <= available || last == columns.rend())
            return columns;
        columns.erase(std::next(last).base());
    }
}

std::string render_line(const std::vector<std::string>& cells, const std::vector<Column>& columns,
                        const std::vector<int>& widths) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string cell =
            display_width(cells[i]) > widths[i] ? shorten(cells[i], widths[i], columns[i].shrink) : cells[i];
        const std::string padding(static_cast<std::size_t>(std::max(0, widths[i] - display_width(cell))), ' ');
        line += i == 0 ? "" : kGap;
        line += columns[i].right ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

} // namespace

int display_width(std::string_view text) {
    int width = 0;
    while (!text.empty()) {
        const Glyph glyph = next_glyph(text);
        width += glyph.width;
        text.remove_prefix(glyph.bytes);
    }
    return width;
}

std::string shorten_end(std::string_view text, int width) {
    if (display_width(text) <= width)
        return std::string(text);
    return width < 1 ? std::string() : fmt::format("{}{}", head_of(text, width - 1), kEllipsis);
}

std::string shorten_middle(std::string_view text, int width) {
    if (display_width(text) <= width)
        return std::string(text);
    if (width < 3)
        return shorten_end(text, width);
    const int head = (width - 1) / 2;
    return fmt::format("{}{}{}", head_of(text, head), kEllipsis, tail_of(text, width - 1 - head));
}

std::string render_table(const std::vector<Column>& all, const data::Json& rows, const Terminal& terminal) {
    const std::vector<Column> columns = columns_for(all, rows, terminal.width);
    std::vector<int> widths = widths_of(columns, rows);
    fit(widths, columns, terminal.width);
    std::vector<std::string> cells;
    for (const Column& column : columns)
        cells.emplace_back(column.title);
    std::string text = paint(render_line(cells, columns, widths), Colour::bold, terminal) + "\n";
    for (const data::Json& row : rows) {
        cells.clear();
        for (const Column& column : columns)
            cells.push_back(cell_text(row, column));
        text += render_line(cells, columns, widths) + "\n";
    }
    return text;
}

} // namespace picket::command_line
