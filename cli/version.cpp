#include <picket/base/build_info.h>

#include "context.h"
#include "session.h"

namespace picket::cli {

/// Answers without a daemon too: what is installed is known here.
int run_version(const Context& context) {
    data::Json version = {{"client_version", build::version()}, {"daemon_running", false}};
    if (auto session = Session::open(context.socket)) {
        const auto answer = session.value->call("version");
        if (!answer)
            return context.fail(answer.failure);
        version.update(*answer.value);
        version["daemon_running"] = true;
    } else if (session.failure.exit_code != static_cast<int>(CliExit::daemon_not_running)) {
        return context.fail(session.failure);
    }
    return show(context, version);
}

} // namespace picket::cli
