#include <picket/data/yaml.h>

#include <charconv>
#include <sstream>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace picket::data {
namespace {

constexpr std::size_t kMaximumNodes = 100'000;

std::string pointer_escape(std::string_view key) {
    std::string escaped;
    for (const char c : key) {
        if (c == '~')
            escaped += "~0";
        else if (c == '/')
            escaped += "~1";
        else
            escaped += c;
    }
    return escaped;
}

/// Walks yaml-cpp's tree into JSON. Aliases are walked again each time, so the node budget bounds an alias bomb.
class Converter {
  public:
    explicit Converter(const JsonLimits& limits) : limits_(limits) {}

    Result<Json> convert(const YAML::Node& node, const std::string& pointer, std::size_t depth) {
        if (++nodes_ > kMaximumNodes)
            return problem(node, fmt::format("more than {} values (aliases count each time)", kMaximumNodes));
        if (depth > limits_.depth)
            return problem(node, fmt::format("nested deeper than {}", limits_.depth));
        positions[pointer] = position_of(node);
        switch (node.Type()) {
        case YAML::NodeType::Map:
            return convert_map(node, pointer, depth);
        case YAML::NodeType::Sequence:
            return convert_sequence(node, pointer, depth);
        case YAML::NodeType::Scalar:
            return convert_scalar(node);
        case YAML::NodeType::Null:
        case YAML::NodeType::Undefined:
            return Json();
        }
        return Json();
    }

    std::map<std::string, Position> positions;

  private:
    static Position position_of(const YAML::Node& node) {
        const YAML::Mark mark = node.Mark();
        return mark.line < 0 ? Position{} : Position{mark.line + 1, mark.column + 1};
    }
    static Error problem(const YAML::Node& node, std::string_view text) {
        const Position at = position_of(node);
        return Error(ErrorCode::invalid_input, fmt::format("line {}, column {}: {}", at.line, at.column, text));
    }
    Result<Json> convert_map(const YAML::Node& node, const std::string& pointer, std::size_t depth) {
        Json object = Json::object();
        Json merged;
        for (const auto& entry : node) {
            if (!entry.first.IsScalar())
                return problem(entry.first, "a key must be plain text");
            const std::string key = entry.first.Scalar();
            if (!is_valid_utf8(key))
                return problem(entry.first, "a key is not UTF-8");
            if (key == "<<" && !is_quoted(entry.first)) {
                if (!merged.is_null())
                    return problem(entry.first, "key \"<<\" twice: give it a list");
                merged = PICKET_TRY(convert_merge(entry.second, pointer, depth + 1));
                continue;
            }
            if (object.contains(key))
                return problem(entry.first, fmt::format("key \"{}\" twice", escape_for_display(key)));
            const std::string child = pointer + "/" + pointer_escape(key);
            object[key] = PICKET_TRY(convert(entry.second, child, depth + 1));
            positions[child] = position_of(entry.first); // the key is what a reader looks for
        }
        positions[pointer] = position_of(node); // a merged mapping lay at the same pointer
        if (!merged.is_null())
            for (auto& [key, value] : merged.items())
                if (!object.contains(key))
                    object[key] = std::move(value);
        return object;
    }
    /// What `<<` brings in: one mapping, or several, of which the first that has a key wins.
    Result<Json> convert_merge(const YAML::Node& node, const std::string& pointer, std::size_t depth) {
        if (node.IsMap())
            return convert(node, pointer, depth);
        if (!node.IsSequence())
            return problem(node, "<< takes a mapping (*NAME) or a list of mappings");
        Json all = Json::object();
        for (const auto& entry : node) {
            if (!entry.IsMap())
                return problem(entry, "<< takes a mapping (*NAME) or a list of mappings");
            const Json one = PICKET_TRY(convert(entry, pointer, depth + 1));
            for (const auto& [key, value] : one.items())
                if (!all.contains(key))
                    all[key] = value;
        }
        return all;
    }
    Result<Json> convert_sequence(const YAML::Node& node, const std::string& pointer, std::size_t depth) {
        Json array = Json::array();
        for (const auto& entry : node)
            array.push_back(PICKET_TRY(convert(entry, fmt::format("{}/{}", pointer, array.size()), depth + 1)));
        return array;
    }
    static Result<Json> convert_scalar(const YAML::Node& node) {
        const std::string& text = node.Scalar();
        if (!is_valid_utf8(text))
            return problem(node, "text is not UTF-8");
        return is_quoted(node) ? Json(text) : plain_scalar(text);
    }
    static bool is_quoted(const YAML::Node& node) { return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str"; }
    static Json plain_scalar(const std::string& text) {
        if (text == "true" || text == "True" || text == "TRUE")
            return true;
        if (text == "false" || text == "False" || text == "FALSE")
            return false;
        if (text == "null" || text == "~" || text.empty())
            return nullptr;
        const char* const end = text.data() + text.size();
        std::int64_t integer = 0;
        if (const auto [stop, error] = std::from_chars(text.data(), end, integer); error == std::errc() && stop == end)
            return integer;
        if (text.find_first_not_of("0123456789+-.eE") == std::string::npos)
            if (Json real = Json::parse(text, nullptr, false); real.is_number_float())
                return real;
        return text;
    }

    const JsonLimits limits_;
    std::size_t nodes_ = 0;
};

/// yaml-cpp recurses while it parses: nesting is bounded before it sees the text. Flow brackets in quotes or
/// comments count too, which only makes the bound stricter.
bool nests_too_deep(std::string_view text, std::size_t limit) {
    std::size_t depth = 0;
    std::size_t line_indicators = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '[' || c == '{') {
            if (++depth > limit)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        } else if (c == '\n') {
            line_indicators = 0;
        } else if ((c == '-' || c == '?' || c == ':') && (i + 1 == text.size() || text[i + 1] == ' ')) {
            if (++line_indicators > limit)
                return true; // "- - - - …" nests once an indicator
        }
    }
    return false;
}

/// Takes every event and keeps nothing.
class NullHandler final : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

/// 0, 1 or 2 ("more"). YAML::LoadAll never ends on ", x": it takes the comma that it cannot place for one empty
/// document after another.
std::size_t count_documents(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    NullHandler handler;
    std::size_t count = 0;
    while (count < 2 && parser.HandleNextDocument(handler))
        ++count;
    return count;
}

} // namespace

Result<LocatedDocument> parse_yaml(std::string_view text, const JsonLimits& limits) {
    if (text.size() > limits.size.count)
        return Error(ErrorCode::invalid_input, fmt::format("larger than {}", to_human(limits.size)));
    if (text.find('\0') != std::string_view::npos)
        return Error(ErrorCode::invalid_input, "a NUL byte: not a text file");
    if (nests_too_deep(text, limits.depth))
        return Error(ErrorCode::invalid_input, fmt::format("nested deeper than {}", limits.depth));
    try {
        const std::string copy(text);
        const std::size_t documents = count_documents(copy);
        if (documents > 1)
            return Error(ErrorCode::invalid_input, "more than one document, or a comma where no list is open");
        Converter converter(limits);
        LocatedDocument document;
        document.value = documents == 0 ? Json() : PICKET_TRY(converter.convert(YAML::Load(copy), "", 1));
        document.positions = std::move(converter.positions);
        return document;
    } catch (const YAML::Exception& error) {
        return Error(ErrorCode::invalid_input, fmt::format("line {}, column {}: {}", error.mark.line + 1,
                                                           error.mark.column + 1, escape_for_display(error.msg)));
    } catch (const std::exception& error) {
        return Error(ErrorCode::invalid_input, escape_for_display(error.what()));
    }
}

} // namespace picket::data
