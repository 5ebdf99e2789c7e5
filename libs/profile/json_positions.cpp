#include "json_positions.h"

#include <algorithm>

#include <picket/base/text.h>
#include <picket/data/json.h>

namespace picket::profile {
namespace {

/// Walks a text that is known to be valid and not nested deeply; on any surprise it stops and keeps what it has.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    void value(const std::string& pointer) {
        skip_space();
        positions.try_emplace(pointer, place());
        switch (peek()) {
        case '{':
            return object(pointer);
        case '[':
            return array(pointer);
        case '"':
            (void)string();
            return;
        default:
            while (at_ < text_.size() && std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos)
                advance();
        }
    }

    std::map<std::string, data::Position> positions;
    std::vector<RepeatedKey> repeated;

  private:
    /// What lies in a repeated object is no repetition of its own.
    void note_repeated(const std::string& pointer, data::Position position) {
        if (repeated.empty() || !pointer.starts_with(repeated.back().pointer + "/"))
            repeated.push_back({pointer, position});
        positions[pointer] = position;
    }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void advance() {
        if (text_[at_++] == '\n') {
            ++line_;
            line_start_ = at_;
        }
    }
    void skip_space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
            advance();
    }
    data::Position place() const { return {line_, static_cast<int>(at_ - line_start_) + 1}; }

    std::string_view string() {
        const std::size_t begin = at_;
        advance();
        while (at_ < text_.size() && text_[at_] != '"') {
            if (text_[at_] == '\\' && at_ + 1 < text_.size())
                advance();
            advance();
        }
        if (at_ < text_.size())
            advance();
        return text_.substr(begin, at_ - begin);
    }
    /// True where another element follows.
    bool next(char end) {
        skip_space();
        if (at_ >= text_.size())
            return false;
        const char c = peek();
        if (c == ',' || c == end)
            advance();
        return c == ',';
    }
    void object(const std::string& pointer) {
        advance();
        skip_space();
        if (peek() == '}')
            return advance();
        do {
            skip_space();
            const data::Position key_place = place();
            if (peek() != '"')
                return;
            const auto key = data::parse_json(string());
            const std::string* name = key ? key->get_ptr<const std::string*>() : nullptr;
            skip_space();
            if (name == nullptr || peek() != ':')
                return;
            advance();
            const std::string child = pointer + "/" + pointer_step(*name);
            if (!positions.try_emplace(child, key_place).second)
                note_repeated(child, key_place);
            value(child);
        } while (next('}'));
    }
    void array(const std::string& pointer) {
        advance();
        skip_space();
        if (peek() == ']')
            return advance();
        std::size_t index = 0;
        do {
            value(pointer + "/" + std::to_string(index++));
        } while (next(']'));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int line_ = 1;
    std::size_t line_start_ = 0;
};

int number_after(std::string_view text, std::string_view word) {
    const auto at = text.find(word);
    if (at == std::string_view::npos)
        return 0;
    text.remove_prefix(at + word.size());
    const auto number = parse_unsigned(text.substr(0, text.find_first_not_of("0123456789")));
    return number ? static_cast<int>(std::min<std::uint64_t>(*number, 100'000'000)) : 0;
}

} // namespace

std::string pointer_step(std::string_view key) {
    std::string step;
    for (const char c : key) {
        if (c == '~')
            step += "~0";
        else if (c == '/')
            step += "~1";
        else
            step += c;
    }
    return step;
}

std::map<std::string, data::Position> json_positions(std::string_view text) {
    Scanner scanner(text);
    scanner.value("");
    return std::move(scanner.positions);
}

std::vector<RepeatedKey> repeated_keys(std::string_view text) {
    Scanner scanner(text);
    scanner.value("");
    return std::move(scanner.repeated);
}

data::Position position_in(std::string_view message) {
    return {number_after(message, "line "), number_after(message, "column ")};
}

} // namespace picket::profile
