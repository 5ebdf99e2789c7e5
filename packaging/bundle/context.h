#pragma once
#include <string>

#include <picket/base/result.h>
#include <picket/command_line/output.h>
#include <picket/command_line/verb.h>
#include <picket/crypto/minisign.h>
#include <picket/data/json.h>

namespace picket::bundle {

struct Context {
    const command_line::Invocation& invocation;
    command_line::Format format = command_line::Format::text;
};

const command_line::Program& program();
/// What a verb answers, or why not.
Result<data::Json> run_keys(const Context& context);
Result<data::Json> run_make(const Context& context);
Result<data::Json> run_verify(const Context& context);
Result<data::Json> run_sign(const Context& context);

/// --key-directory or --directory, else $PICKET_RELEASE_KEYS, else below $XDG_DATA_HOME or ~/.local/share.
Result<std::string> key_directory(const std::string& given);
/// release-1 signs, release-2 is the next; each is made where it is not there yet.
inline constexpr const char* kCurrentKey = "release-1";
inline constexpr const char* kNextKey = "release-2";
Result<crypto::SecretKey> release_key(const std::string& directory, const std::string& name);

} // namespace picket::bundle
