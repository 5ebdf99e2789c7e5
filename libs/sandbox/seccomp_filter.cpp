#include <picket/sandbox/seccomp_filter.h>

#include <cerrno>
#include <memory>

#include <fmt/format.h>
#include <seccomp.h>

namespace picket::sandbox {
namespace {

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

std::uint32_t action_number(FilterAction action, int errno_value) {
    switch (action) {
    case FilterAction::kill_process:
        // libseccomp refuses KILL_PROCESS where the kernel has none; level 3 of its API says that it has.
        return seccomp_api_get() >= 3 ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_TRAP;
    case FilterAction::trap:
        return SCMP_ACT_TRAP;
    case FilterAction::fail:
        return SCMP_ACT_ERRNO(static_cast<std::uint32_t>(errno_value));
    case FilterAction::allow:
        return SCMP_ACT_ALLOW;
    }
    return SCMP_ACT_TRAP;
}

scmp_compare comparison_number(ArgumentCondition::Comparison comparison) {
    using Comparison = ArgumentCondition::Comparison;
    switch (comparison) {
    case Comparison::equal:
        return SCMP_CMP_EQ;
    case Comparison::not_equal:
        return SCMP_CMP_NE;
    case Comparison::less:
        return SCMP_CMP_LT;
    case Comparison::less_or_equal:
        return SCMP_CMP_LE;
    case Comparison::greater:
        return SCMP_CMP_GT;
    case Comparison::greater_or_equal:
        return SCMP_CMP_GE;
    case Comparison::masked_equal:
        return SCMP_CMP_MASKED_EQ;
    }
    return SCMP_CMP_EQ;
}

scmp_arg_cmp native(const ArgumentCondition& condition) {
    scmp_arg_cmp result{};
    result.arg = condition.argument;
    result.op = comparison_number(condition.comparison);
    const bool masked = condition.comparison == ArgumentCondition::Comparison::masked_equal;
    result.datum_a = masked ? condition.mask : condition.value;
    result.datum_b = masked ? condition.value : 0;
    return result;
}

/// libseccomp reports by negative errno and leaves errno alone.
Error failure(int code, const std::string& what) {
    return Error::from_errno(-code, what);
}

Result<void> add(scmp_filter_ctx context, std::uint32_t action, const std::string& name,
                 const std::vector<ArgumentCondition>& conditions) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR)
        return {};
    std::vector<scmp_arg_cmp> arguments;
    arguments.reserve(conditions.size());
    for (const ArgumentCondition& condition : conditions)
        arguments.push_back(native(condition));
    const int code =
        seccomp_rule_add_array(context, action, number, static_cast<unsigned>(arguments.size()), arguments.data());
    // EEXIST: the rule was there; EACCES: the action is the default's.
    if (code < 0 && code != -EEXIST && code != -EACCES)
        return failure(code, fmt::format("adding the system-call rule for {}", name));
    return {};
}

} // namespace

Result<void> install_filter(const FilterOptions& options) {
    const std::uint32_t fallback = action_number(options.default_action, options.default_errno);
    const Context context(seccomp_init(fallback), &seccomp_release);
    if (!context)
        return Error(ErrorCode::exhausted, "making a system-call filter: no memory");
    if (const int code = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, fallback); code < 0)
        return failure(code, "setting the filter's answer to foreign architectures");
    // Else it says ECANCELED whatever the kernel said.
    if (const int code = seccomp_attr_set(context.get(), SCMP_FLTATR_API_SYSRAWRC, 1); code < 0)
        return failure(code, "asking for the kernel's own errors");
    for (const SyscallRule& rule : options.allowed)
        PICKET_TRY(add(context.get(), SCMP_ACT_ALLOW, rule.name, rule.conditions));
    for (const FailingSyscall& failing : options.failing)
        PICKET_TRY(add(context.get(), action_number(FilterAction::fail, failing.errno_value), failing.name,
                       failing.conditions));
    if (const int code = seccomp_load(context.get()); code < 0) {
        Error error = failure(code, "loading the system-call filter");
        return code == -EINVAL || code == -ENOSYS ? Error(ErrorCode::unavailable, error.message()) : error;
    }
    return {};
}

std::vector<std::string> unknown_syscalls(std::span<const SyscallRule> rules) {
    std::vector<std::string> unknown;
    for (const SyscallRule& rule : rules)
        if (seccomp_syscall_resolve_name(rule.name.c_str()) == __NR_SCMP_ERROR)
            unknown.push_back(rule.name);
    return unknown;
}

} // namespace picket::sandbox
