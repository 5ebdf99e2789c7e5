// An mdatp_managed.json of whatever quality: the result is a valid profile, or one problem.
#include <cstdint>
#include <string_view>

#include <picket/profile/import_mde.h>

using namespace picket::profile;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const MdeImport imported = import_mde(text, "fuzz");
    for (const ImportEntry& entry : imported.entries) {
        (void)to_text(entry, "fuzz");
        (void)picket::data::to_text(to_json(entry));
    }
    if (imported.problem)
        (void)to_text(*imported.problem);
    if (!validate(picket::data::to_text(imported.document), Format::json, "imported").ok())
        __builtin_trap();
    return 0;
}
