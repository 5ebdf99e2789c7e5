#include <picket/base/error.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace picket {

std::string_view to_string(ErrorCode code) {
    switch (code) {
    case ErrorCode::invalid_input:
        return "invalid_input";
    case ErrorCode::not_found:
        return "not_found";
    case ErrorCode::permission:
        return "permission";
    case ErrorCode::unavailable:
        return "unavailable";
    case ErrorCode::exhausted:
        return "exhausted";
    case ErrorCode::corrupt:
        return "corrupt";
    case ErrorCode::conflict:
        return "conflict";
    case ErrorCode::cancelled:
        return "cancelled";
    case ErrorCode::internal:
        return "internal";
    }
    return "internal";
}

static ErrorCode code_of(int errno_value) {
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
        return ErrorCode::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
        return ErrorCode::permission;
    case EAGAIN:
    case EBUSY:
    case EINTR:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        return ErrorCode::unavailable;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EMSGSIZE:
        return ErrorCode::exhausted;
    case EEXIST:
    case EXDEV:
    case ETXTBSY:
        return ErrorCode::conflict;
    case EINVAL:
    case ELOOP:
    case ENAMETOOLONG:
        return ErrorCode::invalid_input;
    case EIO:
    case EBADMSG:
        return ErrorCode::corrupt;
    case ECANCELED:
        return ErrorCode::cancelled;
    default:
        return ErrorCode::internal;
    }
}

/// Whoever opened a file and whoever asked for that both name it: once is enough.
static bool already_says(std::string_view message, std::string_view context) {
    if (message.starts_with(context) && message.substr(context.size()).starts_with(": "))
        return true;
    if (!context.starts_with('/'))
        return false;
    for (auto at = message.find(context); at != std::string_view::npos; at = message.find(context, at + 1)) {
        const std::string_view after = message.substr(at + context.size());
        if ((at == 0 || message[at - 1] == ' ') && (after.empty() || after[0] == ':' || after[0] == ' '))
            return true;
    }
    return false;
}

Error Error::from_errno(int errno_value, std::string_view what) {
    Error error(code_of(errno_value), fmt::format("{}: {}", what, std::strerror(errno_value)));
    error.errno_value_ = errno_value;
    return error;
}

Error Error::with_context(std::string_view context) const {
    if (already_says(message_, context))
        return *this;
    Error error = *this;
    error.message_ = fmt::format("{}: {}", context, message_);
    return error;
}

} // namespace picket
