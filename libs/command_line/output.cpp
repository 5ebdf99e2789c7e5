#include <picket/command_line/output.h>

#include <algorithm>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::command_line {
namespace {

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

int width_of(int fd) {
    constexpr int kNarrowest = 20;
    constexpr int kWidest = 1'000;
    constexpr int kUnknown = 80;
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return std::max<int>(size.ws_col, kNarrowest);
    const auto columns = parse_unsigned(environment("COLUMNS"));
    return columns && *columns >= kNarrowest && *columns <= kWidest ? static_cast<int>(*columns) : kUnknown;
}

std::string_view sequence_of(Colour colour) {
    switch (colour) {
    case Colour::plain:
        return "";
    case Colour::bold:
        return "\x1b[1m";
    case Colour::dim:
        return "\x1b[2m";
    case Colour::red:
        return "\x1b[31m";
    case Colour::green:
        return "\x1b[32m";
    case Colour::yellow:
        return "\x1b[33m";
    }
    return "";
}

void flatten(const std::string& prefix, const data::Json& object,
             std::vector<std::pair<std::string, std::string>>& lines, int depth);

void add_line(const std::string& key, const data::Json& holder, const std::string& name,
              std::vector<std::pair<std::string, std::string>>& lines, int depth) {
    constexpr int kDeepest = 4;
    const data::Json& value = data::member(holder, name);
    if (value.is_object() && !value.empty() && depth < kDeepest)
        flatten(key + ".", value, lines, depth + 1);
    else
        lines.emplace_back(key, value_text(holder, name));
}

void flatten(const std::string& prefix, const data::Json& object,
             std::vector<std::pair<std::string, std::string>>& lines, int depth) {
    for (const auto& [key, value] : object.items())
        if (!key.ends_with("_b64"))
            add_line(prefix + escape_for_display(key), object, key, lines, depth);
}

} // namespace

std::optional<Format> format_from(std::string_view name) {
    if (name == "text")
        return Format::text;
    if (name == "table")
        return Format::table;
    if (name == "json")
        return Format::json;
    return std::nullopt;
}

Terminal Terminal::of(std::FILE* stream) {
    const int fd = ::fileno(stream);
    Terminal terminal;
    terminal.is_terminal = ::isatty(fd) == 1;
    terminal.colour = terminal.is_terminal && environment("TERM") != "dumb" && environment("NO_COLOR").empty();
    terminal.width = width_of(fd);
    return terminal;
}

std::string paint(std::string_view text, Colour colour, const Terminal& terminal) {
    if (!terminal.colour || colour == Colour::plain)
        return std::string(text);
    return fmt::format("{}{}\x1b[0m", sequence_of(colour), text);
}

std::string value_text(const data::Json& object, std::string_view field) {
    const data::Json& value = data::member(object, field);
    if (value.is_string())
        return escape_for_display(data::path_of(object, field));
    if (value.is_null())
        return "";
    if (value.is_array() &&
        std::none_of(value.begin(), value.end(), [](const data::Json& item) { return item.is_structured(); })) {
        std::vector<std::string> items;
        for (const data::Json& item : value)
            items.push_back(item.is_string() ? escape_for_display(item.get_ref<const std::string&>())
                                             : data::to_text(item));
        return join(items, ", ");
    }
    return escape_for_display(data::to_text(value));
}

std::string render_fields(const data::Json& object, const std::vector<std::string_view>& order) {
    std::vector<std::pair<std::string, std::string>> lines;
    data::Json rest = object;
    for (const std::string_view name : order) {
        const std::string key(name);
        if (!object.contains(key))
            continue;
        add_line(key, object, key, lines, 0);
        rest.erase(key);
    }
    flatten("", rest, lines, 0);
    int width = 0;
    for (const auto& [key, value] : lines)
        width = std::max(width, display_width(key));
    std::string text;
    for (const auto& [key, value] : lines)
        text += fmt::format("{}{} : {}\n", key, std::string(static_cast<std::size_t>(width - display_width(key)), ' '),
                            value);
    return text;
}

std::string envelope(std::string_view kind, const data::Json& data) {
    return data::to_text({{"schema", 1}, {"kind", kind}, {"data", data}}) + "\n";
}

int report_failure(std::string_view program, const Failure& failure, Format format) {
    if (format == Format::json) {
        data::Json error = {{"code", failure.exit_code}, {"name", failure.name}, {"message", failure.message}};
        if (!failure.fix.empty())
            error["fix"] = failure.fix;
        print(envelope("error", error));
        return failure.exit_code;
    }
    std::fflush(stdout);
    const Terminal terminal = Terminal::of(stderr);
    fmt::print(stderr, "{}: {}\n", paint(program, Colour::red, terminal), escape_for_display(failure.message));
    if (!failure.fix.empty())
        fmt::print(stderr, "  fix: {}\n", escape_for_display(failure.fix));
    return failure.exit_code;
}

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}
bool flush_output() {
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

} // namespace picket::command_line
