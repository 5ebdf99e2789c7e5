#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/sys/file.h>

#include "context.h"

namespace picket::bundle {

Result<data::Json> run_sign(const Context& context) {
    const std::string path = command_line::absolute_path(context.invocation.get("FILE"));
    const auto slash = path.rfind('/');
    const std::string directory = path.substr(0, slash + 1);
    const std::string name = path.substr(slash + 1);
    const UniqueFd folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!folder || !file)
        return Error::from_errno(errno, escape_for_display(path));
    const std::string content = PICKET_TRY(sys::read_all(file.get(), mebibytes(512)));
    const std::string keys = PICKET_TRY(key_directory(context.invocation.get("--key-directory")));
    const crypto::SecretKey key = PICKET_TRY(release_key(keys, kCurrentKey));
    const std::string signature = PICKET_TRY(key.sign(as_bytes(content), context.invocation.get("--comment")));
    PICKET_TRY(sys::write_atomically_at(folder.get(), name + ".minisig", signature, 0644));
    return data::Json{{"file", path + ".minisig"}, {"key_id", crypto::to_text(key.public_key().id)}};
}

} // namespace picket::bundle
