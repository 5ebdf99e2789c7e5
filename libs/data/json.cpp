#include <picket/data/json.h>
#include <picket/data/lenient_json.h>

#include <set>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::data {
namespace {

enum class RepeatedKeys { refused, last_counts };

/// Builds the value while holding depth and key uniqueness to their limits; the parser alone checks neither.
class LimitedBuilder final : public nlohmann::json_sax<Json> {
  public:
    LimitedBuilder(std::size_t depth, RepeatedKeys repeated_keys) : depth_(depth), repeated_keys_(repeated_keys) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return fail("binary value"); }
    bool start_object(std::size_t) override { return open(Json::object()); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override {
        if (repeated_keys_ == RepeatedKeys::refused && stack_.back().contains(name))
            return fail(fmt::format("key \"{}\" twice", escape_for_display(name)));
        keys_.back() = std::move(name);
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        position_ = position;
        // Its text carries an id, the position and the last token; keep the part after the position.
        const std::string_view text = error.what();
        const auto cut = text.find(": ");
        problem_ = escape_for_display(cut == std::string_view::npos ? text : text.substr(cut + 2));
        return false;
    }

    Json take() { return std::move(result_); }
    const std::string& problem() const { return problem_; }
    std::size_t position() const { return position_; }

  private:
    template <typename T>
    bool put(T&& value) {
        return attach(Json(std::forward<T>(value)));
    }
    bool attach(Json value) {
        if (stack_.empty())
            result_ = std::move(value);
        else if (stack_.back().is_array())
            stack_.back().push_back(std::move(value));
        else
            stack_.back()[keys_.back()] = std::move(value);
        return true;
    }
    bool open(Json empty) {
        if (stack_.size() >= depth_)
            return fail(fmt::format("nested deeper than {}", depth_));
        stack_.push_back(std::move(empty));
        keys_.emplace_back();
        return true;
    }
    bool close() {
        Json done = std::move(stack_.back());
        stack_.pop_back();
        keys_.pop_back();
        return attach(std::move(done));
    }
    bool fail(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    const std::size_t depth_;
    const RepeatedKeys repeated_keys_;
    Json result_;
    std::vector<Json> stack_;
    std::vector<std::string> keys_;
    std::string problem_;
    std::size_t position_ = 0;
};

std::string place(std::string_view text, std::size_t position) {
    const std::string_view before = text.substr(0, std::min(position, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto newline = before.rfind('\n');
    const auto column = newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    return fmt::format("line {}, column {}", line, std::max<std::size_t>(column, 1));
}

template <typename T>
Result<T> wrong_type(std::string_view key, std::string_view wanted, const Json& found) {
    return Error(ErrorCode::invalid_input,
                 found.is_null() ? fmt::format("\"{}\" is missing: {} expected", key, wanted)
                                 : fmt::format("\"{}\" must be {}, not {}", key, wanted, found.type_name()));
}

Result<Json> parse(std::string_view text, const JsonLimits& limits, RepeatedKeys repeated_keys) {
    if (text.size() > limits.size.count)
        return Error(ErrorCode::invalid_input, fmt::format("JSON larger than {}", to_human(limits.size)));
    LimitedBuilder builder(limits.depth, repeated_keys);
    try {
        if (Json::sax_parse(text, &builder))
            return builder.take();
    } catch (const std::exception& error) {
        return Error(ErrorCode::invalid_input, fmt::format("not valid JSON: {}", escape_for_display(error.what())));
    }
    if (builder.position() > 0)
        return Error(ErrorCode::invalid_input,
                     fmt::format("not valid JSON ({}): {}", place(text, builder.position()), builder.problem()));
    return Error(ErrorCode::invalid_input, fmt::format("not valid JSON: {}", builder.problem()));
}

} // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
    return parse(text, limits, RepeatedKeys::refused);
}
Result<Json> parse_json_last_counts(std::string_view text, const JsonLimits& limits) {
    return parse(text, limits, RepeatedKeys::last_counts);
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string to_pretty_text(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

const Json& member(const Json& object, std::string_view key) {
    static const Json kNull;
    if (!object.is_object())
        return kNull;
    const auto found = object.find(std::string(key));
    return found == object.end() ? kNull : *found;
}

Result<std::string> get_string(const Json& object, std::string_view key) {
    const Json& value = member(object, key);
    return value.is_string() ? Result<std::string>(value.get<std::string>())
                             : wrong_type<std::string>(key, "a string", value);
}

Result<std::int64_t> get_integer(const Json& object, std::string_view key) {
    const Json& value = member(object, key);
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        return Error(ErrorCode::invalid_input, fmt::format("\"{}\" is too large", key));
    return value.is_number_integer() ? Result<std::int64_t>(value.get<std::int64_t>())
                                     : wrong_type<std::int64_t>(key, "an integer", value);
}

Result<bool> get_bool(const Json& object, std::string_view key) {
    const Json& value = member(object, key);
    return value.is_boolean() ? Result<bool>(value.get<bool>()) : wrong_type<bool>(key, "true or false", value);
}

std::string string_or(const Json& object, std::string_view key, std::string_view fallback) {
    return get_string(object, key).value_or(std::string(fallback));
}
std::int64_t integer_or(const Json& object, std::string_view key, std::int64_t fallback) {
    return get_integer(object, key).value_or(fallback);
}
bool bool_or(const Json& object, std::string_view key, bool fallback) {
    return get_bool(object, key).value_or(fallback);
}

std::vector<std::string> strings_of(const Json& array) {
    std::vector<std::string> texts;
    if (array.is_array())
        for (const Json& item : array)
            if (item.is_string())
                texts.push_back(item.get<std::string>());
    return texts;
}

void set_path(Json& object, std::string_view key, std::string_view path) {
    const std::string name(key);
    if (is_valid_utf8(path)) {
        object[name] = std::string(path);
        return;
    }
    object[name] = escape_for_display(path);
    object[name + "_b64"] = to_base64(as_bytes(path));
}

std::string path_of(const Json& object, std::string_view key) {
    const Json& encoded = member(object, std::string(key) + "_b64");
    if (encoded.is_string()) {
        const auto bytes = from_base64(encoded.get<std::string>());
        if (bytes)
            return std::string(as_text(*bytes));
    }
    return string_or(object, key, "");
}

} // namespace picket::data
