#include <algorithm>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/data/yaml.h>
#include <picket/sys/file.h>

#include "arguments.h"
#include "verb_table.h"

namespace picket::installer {
namespace {

constexpr Bytes kConfigLimit = mebibytes(1);

const command_line::Option* find_option(const std::vector<command_line::Option>& options, std::string_view flag) {
    for (const command_line::Option& option : options)
        if (option.name == flag)
            return &option;
    return nullptr;
}

std::vector<std::string> all_keys() {
    std::vector<std::string> keys;
    const auto add = [&keys](const std::vector<command_line::Option>& options) {
        for (const command_line::Option& option : options)
            if (!option.is_positional() && option.name != "--config")
                keys.emplace_back(option.name.substr(2));
    };
    add(program().global_options);
    for (const command_line::Verb& verb : program().verbs)
        add(verb.options);
    return keys;
}

Error unknown_key(const std::string& key) {
    const auto meant = closest_match(key, all_keys());
    return Error(ErrorCode::invalid_input, fmt::format("no such key: {}{}", escape_for_display(key),
                                                       meant ? fmt::format("; did you mean {}?", *meant) : ""));
}

Result<std::string> scalar_text(const std::string& key, const data::Json& value) {
    if (value.is_string())
        return value.get<std::string>();
    if (value.is_number_integer() || value.is_boolean())
        return data::to_text(value);
    return Error(ErrorCode::invalid_input, fmt::format("{}: a text or a number is needed", escape_for_display(key)));
}

/// A list, one value, or for tags a mapping.
Result<std::vector<std::string>> values_of(const std::string& key, const data::Json& value) {
    std::vector<std::string> values;
    if (value.is_object()) {
        for (const auto& [name, inner] : value.items())
            values.push_back(name + "=" + PICKET_TRY(scalar_text(key, inner)));
    } else if (value.is_array()) {
        for (const data::Json& inner : value)
            values.push_back(PICKET_TRY(scalar_text(key, inner)));
    } else {
        values.push_back(PICKET_TRY(scalar_text(key, value)));
    }
    return values;
}

Result<std::vector<std::string>> arguments_of(const command_line::Option& option, const std::string& key,
                                              const data::Json& value) {
    if (option.is_switch()) {
        if (!value.is_boolean())
            return Error(ErrorCode::invalid_input, fmt::format("{}: true or false is needed", key));
        return value.get<bool>() ? std::vector{std::string(option.name)} : std::vector<std::string>{};
    }
    const auto values = PICKET_TRY(values_of(key, value));
    if (!option.repeatable && values.size() != 1)
        return Error(ErrorCode::invalid_input, fmt::format("{}: one value is needed", key));
    std::vector<std::string> arguments;
    for (const std::string& text : values)
        arguments.push_back(fmt::format("{}={}", option.name, text));
    return arguments;
}

Result<data::Json> read_config(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return Error::from_errno(errno, "open");
    const std::string text = PICKET_TRY(sys::read_all(fd.get(), kConfigLimit));
    auto document = PICKET_TRY(data::parse_yaml(text));
    if (document.value.is_null())
        return data::Json::object();
    if (!document.value.is_object())
        return Error(ErrorCode::invalid_input, "a mapping of flags to values is needed");
    return std::move(document.value);
}

} // namespace

Result<std::vector<std::string>> arguments_of_config(const std::string& path, const command_line::Invocation& given) {
    const data::Json document = PICKET_TRY(read_config(path));
    const std::vector<std::string> known = all_keys();
    std::vector<std::string> arguments;
    for (const auto& [written, value] : document.items()) {
        std::string key = written;
        std::replace(key.begin(), key.end(), '_', '-');
        if (std::find(known.begin(), known.end(), key) == known.end())
            return unknown_key(written);
        const std::string flag = "--" + key;
        const command_line::Option* option = find_option(program().global_options, flag);
        if (option == nullptr)
            option = find_option(given.verb->options, flag);
        if (option == nullptr || given.has(flag)) // one file serves all verbs; the command line wins
            continue;
        const auto more = PICKET_TRY(arguments_of(*option, written, value));
        arguments.insert(arguments.end(), more.begin(), more.end());
    }
    return arguments;
}

} // namespace picket::installer
