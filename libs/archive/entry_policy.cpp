#include "entry_policy.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::archive {
namespace {

constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxComponents = 8;
constexpr std::uint64_t kFreeOfRatio = 1U << 20;

std::string shown(std::string_view name) {
    return escape_for_display(name.substr(0, kMaxName));
}

bool is_safe_component(std::string_view component) {
    return !component.empty() && component != "." && component != ".." && component[0] != '-' && component[0] != ' ' &&
           std::all_of(component.begin(), component.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '\\'; });
}

} // namespace

bool is_safe_name(std::string_view name) {
    if (name.size() > kMaxName)
        return false;
    const auto components = split(name, '/');
    return components.size() <= kMaxComponents && std::all_of(components.begin(), components.end(), is_safe_component);
}

EntryPolicy::EntryPolicy(const Limits& limits, Bytes archive_size)
    : limits_(limits),
      total_limit_(std::min(limits.total.count, std::max(kFreeOfRatio, archive_size.count * limits.ratio))) {}

Result<void> EntryPolicy::count_entry() {
    if (++entries_ > limits_.entries)
        return Error(ErrorCode::exhausted, fmt::format("more than {} entries", limits_.entries));
    return {};
}

Result<void> EntryPolicy::begin(const std::string& name) {
    if (inside_)
        return Error(ErrorCode::corrupt, "an entry inside another");
    if (!is_safe_name(name))
        return Error(ErrorCode::invalid_input,
                     fmt::format("entry \"{}\": the name is not a plain relative path", shown(name)));
    if (!names_.insert(name).second)
        return Error(ErrorCode::invalid_input, fmt::format("entry \"{}\" is there twice", shown(name)));
    inside_ = true;
    entry_size_ = 0;
    return {};
}

Result<void> EntryPolicy::data(std::size_t size) {
    if (!inside_)
        return Error(ErrorCode::corrupt, "data outside of an entry");
    entry_size_ += size;
    total_ += size;
    if (entry_size_ > limits_.entry.count)
        return Error(ErrorCode::exhausted, fmt::format("an entry unpacks to more than {}", to_human(limits_.entry)));
    if (total_ > total_limit_)
        return Error(ErrorCode::exhausted, fmt::format("unpacks to more than {}", to_human(Bytes{total_limit_})));
    return {};
}

Result<void> EntryPolicy::end() {
    if (!inside_)
        return Error(ErrorCode::corrupt, "an end without an entry");
    inside_ = false;
    return {};
}

} // namespace picket::archive
