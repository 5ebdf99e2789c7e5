#include "library.h"

#include <array>
#include <cstdlib>
#include <ctime>
#include <iconv.h>
#include <mutex>
#include <vector>

#include <clamav.h>
#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/engine_core/engine.h>

namespace picket::engine_core {
namespace {

std::mutex complaint_mutex;
std::string last_complaint;

void note_message(cl_msg severity, const char* /*full*/, const char* message, void* /*context*/) {
    if (severity != CL_MSG_ERROR || message == nullptr)
        return;
    const std::lock_guard lock(complaint_mutex);
    // Of several the first is the cause, what follows says "loading failed" again.
    if (last_complaint.empty())
        last_complaint = escape_for_display(trim(message).substr(0, 300));
}

/// What libclamav asks iconv for (mail, HTML and MS-DOS code pages). glibc keeps UTF-8, -16, -32 and ASCII built in.
constexpr std::array kCharacterSets{
    "BIG5",         "CP866",        "CP875",        "CP949",        "EUC-CN",       "EUC-JP",       "EUC-KR",
    "GB18030",      "GB2312",       "IBM037",       "IBM1026",      "IBM273",       "IBM277",       "IBM278",
    "IBM280",       "IBM284",       "IBM285",       "IBM290",       "IBM297",       "IBM420",       "IBM423",
    "IBM424",       "IBM437",       "IBM500",       "IBM775",       "IBM850",       "IBM852",       "IBM855",
    "IBM857",       "IBM860",       "IBM861",       "IBM863",       "IBM864",       "IBM865",       "IBM869",
    "IBM870",       "IBM871",       "IBM880",       "IBM905",       "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-3",
    "ISO-8859-4",   "ISO-8859-5",   "ISO-8859-6",   "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-13",
    "ISO-8859-15",  "JOHAB",        "KOI8-R",       "KOI8-U",       "MACINTOSH",    "SHIFT_JIS",    "UTF-7",
    "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256",
    "WINDOWS-1257", "WINDOWS-1258", "WINDOWS-874",
};

/// Held open for the life of the process: so glibc finds the converter loaded and opens no file for it. A host that
/// lacks some (minimal images) scans without them.
void hold_converters() {
    static auto& held = *new std::vector<iconv_t>;
    const auto none = reinterpret_cast<iconv_t>(-1); // NOLINT(performance-no-int-to-ptr): so POSIX says it
    for (const char* name : kCharacterSets)
        if (const iconv_t converter = iconv_open("UTF-8//TRANSLIT", name); converter != none)
            held.push_back(converter);
}

} // namespace

std::string take_last_complaint() {
    const std::lock_guard lock(complaint_mutex);
    return std::exchange(last_complaint, {});
}

Result<void> initialise_library() {
    // libclamav's image hash would otherwise start a thread for each processor, in every worker.
    setenv("RAYON_NUM_THREADS", "1", 1);
    tzset();
    hold_converters();
    cl_set_clcb_msg(note_message);
    if (const cl_error_t code = cl_init(CL_INIT_DEFAULT); code != CL_SUCCESS)
        return Error(ErrorCode::unavailable, fmt::format("starting libclamav: {}", cl_strerror(code)));
    return {};
}

std::string library_version() {
    return cl_retver();
}

} // namespace picket::engine_core
