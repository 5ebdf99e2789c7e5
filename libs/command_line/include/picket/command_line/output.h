#pragma once
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/data/json.h>

/// What a program prints. Every text that comes from outside passes escape_for_display() here; JSON is never cut.
namespace picket::command_line {

enum class Format { text, table, json };
std::optional<Format> format_from(std::string_view name);

/// What is known of the place a stream leads to.
struct Terminal {
    bool is_terminal = false;
    bool colour = false; ///< a terminal, TERM is not dumb, NO_COLOR is not set
    int width = 80;      ///< columns; $COLUMNS where the kernel does not say, 80 where nobody does

    static Terminal of(std::FILE* stream);
};

enum class Colour { plain, bold, dim, red, green, yellow };
std::string paint(std::string_view text, Colour colour, const Terminal& terminal);

/// Columns that `text` takes on a terminal (UTF-8; combining marks 0, East Asian wide and emoji 2).
int display_width(std::string_view text);
/// At most `width` columns; what is too long loses its middle (paths: both ends matter) or its end to "…".
std::string shorten_middle(std::string_view text, int width);
std::string shorten_end(std::string_view text, int width);

enum class Shrink { never, middle, end };

struct Column {
    std::string_view field; ///< key in the row object
    std::string_view title;
    Shrink shrink = Shrink::never;
    bool right = false;    ///< numbers
    bool time = false;     ///< RFC 3339: shown to the second
    bool optional = false; ///< left out, the last one first, where the others would become too narrow to read
};

/// A header line and one line a row, each at most `width` columns where shrinking columns can give that much.
std::string render_table(const std::vector<Column>& columns, const data::Json& rows, const Terminal& terminal);
/// "key : value" lines, keys aligned; keys of `order` first, then the others by name. Nested objects are flattened
/// ("tags.site"), lists of plain values joined.
std::string render_fields(const data::Json& object, const std::vector<std::string_view>& order = {});
/// One value as display text; for a path that is not UTF-8 its bytes are shown escaped.
std::string value_text(const data::Json& object, std::string_view field);

/// {"schema":1,"kind":…,"data":…} on one line, ending in a newline.
std::string envelope(std::string_view kind, const data::Json& data);

struct Failure {
    int exit_code = 1;
    std::string name;    ///< stable word: usage, needs_root, not_running …
    std::string message; ///< may hold foreign text
    std::string fix;     ///< may be empty
};
/// "picket: message" and "  fix: …" on stderr; with Format::json an envelope of kind "error" on stdout.
/// Returns the exit code.
int report_failure(std::string_view program, const Failure& failure, Format format);

void print(std::string_view text);
/// False where what was printed did not arrive (disk full): the program should end with an error.
bool flush_output();

} // namespace picket::command_line
