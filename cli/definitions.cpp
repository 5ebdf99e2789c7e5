#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

/// A large set over a slow line, loaded by a busy engine. Ctrl-C ends the waiting, not the update.
constexpr Milliseconds kPatience{3 * 3'600'000};

} // namespace

int run_definitions(const Context& context) {
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto result = session.value->call(std::string(context.row.method), parameters_of(context), {}, kPatience);
    return result ? show(context, *result.value) : context.fail(result.failure);
}

} // namespace picket::cli
