// One message of the control protocol, as the daemon meets it before it knows anything of the sender.
#include <picket/ipc/rpc.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const picket::ipc::ParsedRequest parsed = picket::ipc::parse_request(content);
    // Exactly one of the two, and parameters that a handler may rely on.
    PICKET_CHECK(parsed.request.has_value() != parsed.error.has_value());
    if (parsed.request)
        PICKET_CHECK(parsed.request->parameters.is_object() && !parsed.request->method.empty());
    else
        PICKET_CHECK(!parsed.error->message.empty());
    return 0;
}
