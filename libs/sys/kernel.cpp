#include <picket/sys/kernel.h>

#include <algorithm>
#include <charconv>
#include <sys/utsname.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::sys {
namespace {

constexpr std::size_t kMaximumLength = 64;

Error not_a_release(std::string_view text) {
    const bool longer = text.size() > kMaximumLength;
    return Error(ErrorCode::invalid_input,
                 fmt::format("not a kernel release: \"{}{}\" (expected MAJOR.MINOR[.PATCH][-BUILD…])",
                             escape_for_display(text.substr(0, kMaximumLength)), longer ? "…" : ""));
}

/// Takes a decimal number off the front; nothing where there is none or it is out of range.
template <typename Number>
std::optional<Number> take_number(std::string_view& rest) {
    Number number = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc())
        return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    return number;
}

bool take_dot_before_digit(std::string_view& rest) {
    if (rest.size() < 2 || rest[0] != '.' || rest[1] < '0' || rest[1] > '9')
        return false;
    rest.remove_prefix(1);
    return true;
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

} // namespace

std::strong_ordering KernelRelease::compare_base(const KernelRelease& other) const {
    if (const auto order = major <=> other.major; order != 0)
        return order;
    if (const auto order = minor <=> other.minor; order != 0)
        return order;
    return patch <=> other.patch;
}

Result<KernelRelease> parse_kernel_release(std::string_view text) {
    if (!text.empty() && text.back() == '\n')
        text.remove_suffix(1);
    if (text.empty() || text.size() > kMaximumLength || !is_printable(text))
        return not_a_release(text);
    std::string_view rest = text;
    const auto major = take_number<std::uint32_t>(rest);
    if (!major || !take_dot_before_digit(rest))
        return not_a_release(text);
    const auto minor = take_number<std::uint32_t>(rest);
    if (!minor)
        return not_a_release(text);
    KernelRelease release{.major = *major, .minor = *minor, .text = std::string(text)};
    if (take_dot_before_digit(rest)) {
        const auto patch = take_number<std::uint32_t>(rest);
        if (!patch)
            return not_a_release(text);
        release.patch = *patch;
    }
    if (rest.size() > 1 && rest[0] == '-') {
        rest.remove_prefix(1);
        release.build = take_number<std::uint64_t>(rest);
    }
    return release;
}

bool meets_minimum_kernel(const KernelRelease& release) {
    static const KernelRelease minimum = parse_kernel_release(kMinimumKernel).value();
    const auto order = release.compare_base(minimum);
    return order > 0 || (order == 0 && release.build.value_or(0) >= *minimum.build);
}

std::string running_kernel_release() {
    utsname names{};
    return uname(&names) == 0 ? std::string(names.release) : std::string();
}

std::string running_machine() {
    utsname names{};
    return uname(&names) == 0 ? std::string(names.machine) : std::string();
}

} // namespace picket::sys
