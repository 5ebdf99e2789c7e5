#pragma once
#include <string>
#include <string_view>

namespace picket {

/// Few codes, each chosen by what the caller does about it.
enum class ErrorCode {
    invalid_input, ///< the input is wrong: show the message, change the input
    not_found,     ///< it is not there: create it or go on without
    permission,    ///< the caller may not: exit 3 or 5, never retry
    unavailable,   ///< not now: retry later
    exhausted,     ///< a limit or resource is used up: shed load
    corrupt,       ///< stored data is damaged: fall back to the last good copy
    conflict,      ///< someone else holds it or changed it: look again
    cancelled,     ///< asked to stop: undo
    internal,      ///< our own mistake: report it
};

/// The stable lower-case name, as it appears in JSON.
std::string_view to_string(ErrorCode code);

/// What went wrong, in words for the person who reads it. Copyable, no allocation beyond its text.
class Error {
  public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

    /// From errno: the code is derived from it (ENOENT → not_found, EACCES/EPERM → permission …).
    static Error from_errno(int errno_value, std::string_view what);

    ErrorCode code() const { return code_; }
    /// 0 where no system call was involved.
    int errno_value() const { return errno_value_; }
    /// Outermost context first: "reading /etc/x: open: No such file or directory".
    const std::string& message() const { return message_; }

    /// The same error with `context: ` put before its message.
    Error with_context(std::string_view context) const;

  private:
    ErrorCode code_;
    int errno_value_ = 0;
    std::string message_;
};

} // namespace picket
