#include <picket/scan/engine_protocol.h>

#include <algorithm>

namespace picket::scan {
namespace {

template <std::size_t N>
bool is_text(const char (&field)[N]) {
    const char* const end = std::find(field, field + N, '\0');
    return end != field + N &&
           std::all_of(static_cast<const char*>(field), end, [](char c) { return c >= 0x20 && c < 0x7f; });
}

} // namespace

bool is_valid(const EngineHello& hello) {
    return hello.magic == kProtocolMagic && hello.version == kProtocolVersion &&
           (hello.role == ConnectionRole::control ||
            (hello.role == ConnectionRole::worker && hello.definitions[0] != '\0')) &&
           is_text(hello.definitions) && is_text(hello.engine_version);
}

bool is_valid(const ScanRequest& request) {
    return request.magic == kProtocolMagic && request.id != 0 && request.time_limit_ms > 0 &&
           request.time_limit_ms <= 3'600'000 && request.flags < kScanFlagsEnd;
}

bool is_valid(const ScanReply& reply) {
    const bool is_threat = reply.verdict == Verdict::malicious || reply.verdict == Verdict::potentially_unwanted;
    return reply.magic == kProtocolMagic && reply.id != 0 && reply.verdict <= Verdict::engine_error &&
           is_text(reply.threat_name) && is_threat == (reply.threat_name[0] != '\0');
}

bool is_valid(const EngineCommand& command) {
    return command.magic == kProtocolMagic && command.kind >= EngineCommandKind::ping &&
           command.kind <= EngineCommandKind::try_candidate &&
           (command.kind != EngineCommandKind::set_workers || command.value <= 64);
}

bool is_valid(const EngineStatus& status) {
    return status.magic == kProtocolMagic && status.state >= LoadState::loading &&
           status.state <= LoadState::reload_failed && is_text(status.definitions) && is_text(status.message);
}

} // namespace picket::scan
