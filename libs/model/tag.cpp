#include <picket/model/tag.h>

#include <algorithm>

#include <picket/base/text.h>

namespace picket {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

} // namespace

Result<void> check_tag(std::string_view key, std::string_view value) {
    const std::string shown = escape_for_display(key.substr(0, 64));
    if (key.empty() || key.size() > 64 || !is_letter(key[0]) || !std::all_of(key.begin(), key.end(), is_word))
        return Error(ErrorCode::invalid_input,
                     "tag \"" + shown + "\": a key is a letter, then letters, digits, '_', '.' or '-', at most 64");
    if (value.size() > 256 || escape_for_display(value) != value)
        return Error(ErrorCode::invalid_input,
                     "tag \"" + shown + "\": a value is one printable line of at most 256 bytes");
    return {};
}

} // namespace picket
