#include "power_cut.h"

#include <algorithm>
#include <fstream>

#include <picket/base/check.h>
#include <sqlite3.h>

namespace picket::store {
namespace {

namespace fs = std::filesystem;
using Kind = PowerCut::Step::Kind;

PowerCut* recorder = nullptr; ///< C callbacks have nowhere else to look
sqlite3_vfs* disk = nullptr;
sqlite3_vfs recording{};

/// What SQLite sees as one file: ours, and behind it the disk's own.
struct RecordedFile {
    sqlite3_file base;
    const char* path;
    sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
RecordedFile& file_of(sqlite3_file* file) {
    return *reinterpret_cast<RecordedFile*>(file);
}
sqlite3_file* inner(sqlite3_file* file) {
    return file_of(file).inner();
}
const sqlite3_io_methods& methods(sqlite3_file* file) {
    return *inner(file)->pMethods;
}
std::string name_of(const char* path) {
    return fs::path(path).filename();
}

int close(sqlite3_file* file) {
    return methods(file).xClose(inner(file));
}
int read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
    return methods(file).xRead(inner(file), data, size, offset);
}
int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    recorder->record({.kind = Kind::write,
                      .file = name_of(file_of(file).path),
                      .offset = offset,
                      .data = std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))});
    return methods(file).xWrite(inner(file), data, size, offset);
}
int truncate(sqlite3_file* file, sqlite3_int64 size) {
    recorder->record({.kind = Kind::truncate, .file = name_of(file_of(file).path), .offset = size});
    return methods(file).xTruncate(inner(file), size);
}
int sync(sqlite3_file* file, int flags) {
    const int code = methods(file).xSync(inner(file), flags);
    recorder->record({.kind = Kind::sync, .file = name_of(file_of(file).path)});
    return code;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return methods(file).xFileSize(inner(file), size);
}
int lock(sqlite3_file* file, int level) {
    return methods(file).xLock(inner(file), level);
}
int unlock(sqlite3_file* file, int level) {
    return methods(file).xUnlock(inner(file), level);
}
int check_reserved_lock(sqlite3_file* file, int* held) {
    return methods(file).xCheckReservedLock(inner(file), held);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
    return methods(file).xFileControl(inner(file), operation, argument);
}
int sector_size(sqlite3_file* file) {
    return methods(file).xSectorSize(inner(file));
}
int characteristics(sqlite3_file* file) {
    return methods(file).xDeviceCharacteristics(inner(file));
}
int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
    return methods(file).xShmMap(inner(file), region, size, extend, memory);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return methods(file).xShmLock(inner(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
    methods(file).xShmBarrier(inner(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    return methods(file).xShmUnmap(inner(file), remove);
}

/// Version 2: shared memory for the log's index, no memory mapping that writes would pass by.
const sqlite3_io_methods kMethods = {2,
                                     close,
                                     read,
                                     write,
                                     truncate,
                                     sync,
                                     file_size,
                                     lock,
                                     unlock,
                                     check_reserved_lock,
                                     file_control,
                                     sector_size,
                                     characteristics,
                                     shm_map,
                                     shm_lock,
                                     shm_barrier,
                                     shm_unmap,
                                     nullptr,
                                     nullptr};

int open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
    RecordedFile& recorded = file_of(file);
    recorded.base.pMethods = nullptr;
    recorded.path = path;
    const bool is_new = path != nullptr && !fs::exists(path);
    const int code = disk->xOpen(disk, path, recorded.inner(), flags, out_flags);
    if (code != SQLITE_OK)
        return code;
    PICKET_CHECK(path != nullptr); // temporary files stay in memory
    recorded.base.pMethods = &kMethods;
    if (is_new)
        recorder->record({.kind = Kind::create, .file = name_of(path)});
    return SQLITE_OK;
}

int remove(sqlite3_vfs*, const char* path, int sync_folder) {
    recorder->record({.kind = Kind::remove, .file = name_of(path)});
    return disk->xDelete(disk, path, sync_folder);
}

void write_to(std::string& content, const PowerCut::Step& step) {
    const auto offset = static_cast<std::size_t>(step.offset);
    if (step.kind == Kind::truncate)
        return content.resize(std::min(content.size(), offset));
    if (content.size() < offset + step.data.size())
        content.resize(offset + step.data.size());
    content.replace(offset, step.data.size(), step.data);
}

/// A write of which some sectors arrived and others did not.
void write_torn(std::string& content, const PowerCut::Step& step, std::minstd_rand& random) {
    constexpr std::size_t kSector = 512;
    for (std::size_t at = 0; at < step.data.size(); at += kSector)
        if (random() % 2 == 0)
            write_to(content, {.kind = Kind::write,
                               .offset = step.offset + static_cast<std::int64_t>(at),
                               .data = step.data.substr(at, kSector)});
}

void write_pending(std::string& content, const std::vector<PowerCut::Step>& pending, PowerCut::Fate fate,
                   std::minstd_rand& random) {
    using Fate = PowerCut::Fate;
    const bool any_order = fate == Fate::random || fate == Fate::random_again;
    for (const PowerCut::Step& step : pending) {
        const bool last = &step == &pending.back();
        const bool torn = step.kind == Kind::write && (any_order ? random() % 3 == 0 : fate == Fate::last_torn && last);
        if (torn)
            write_torn(content, step, random);
        else if (fate == Fate::kept || fate == Fate::last_torn || (fate == Fate::only_last && last) ||
                 (any_order && random() % 2 == 0))
            write_to(content, step);
    }
}

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

PowerCut::PowerCut(fs::path folder) : folder_(std::move(folder)) {
    for (const auto& entry : fs::directory_iterator(folder_))
        at_start_[entry.path().filename()] = content_of(entry.path());
    recorder = this;
    disk = sqlite3_vfs_find(nullptr);
    recording = *disk;
    recording.zName = "power-cut";
    recording.szOsFile = static_cast<int>(sizeof(RecordedFile)) + disk->szOsFile;
    recording.xOpen = open;
    recording.xDelete = remove;
    sqlite3_vfs_register(&recording, 1);
}

PowerCut::~PowerCut() {
    stop();
}

void PowerCut::stop() {
    if (recording_)
        sqlite3_vfs_unregister(&recording); // the disk's own is the default again
    recording_ = false;
}

void PowerCut::acknowledge(std::uint64_t number) {
    record({.kind = Step::Kind::acknowledge, .number = number});
}

void PowerCut::apply(Files& files, const Step& step, Syncs syncs) const {
    File& file = files[step.file];
    switch (step.kind) {
    case Step::Kind::create:
        file.linked = true;
        break;
    case Step::Kind::write:
    case Step::Kind::truncate:
        file.pending.push_back(step);
        break;
    case Step::Kind::sync:
        if (syncs == Syncs::ignored)
            break;
        for (const Step& pending : file.pending)
            write_to(file.synced, pending);
        file.pending.clear();
        if (!file.name_synced) // SQLite syncs the folder with the first sync of a file that it made
            for (auto& [name, each] : files)
                each.name_synced = each.linked;
        break;
    case Step::Kind::remove:
        file.linked = false;
        file.pending.clear();
        break;
    case Step::Kind::acknowledge:
        break;
    }
}

void PowerCut::restore(std::size_t count, Fate fate, Syncs syncs, const fs::path& into) const {
    Files files;
    for (const auto& [name, content] : at_start_)
        files[name] = {.linked = true, .name_synced = true, .synced = content, .pending = {}};
    for (std::size_t i = 0; i < count; ++i)
        if (steps_[i].kind != Step::Kind::acknowledge)
            apply(files, steps_[i], syncs);
    std::minstd_rand random(static_cast<unsigned>(count * 7 + static_cast<std::size_t>(fate) + 1));
    for (const auto& [name, file] : files) {
        const bool is_database =
            name.find('-') == std::string::npos; // made, and its folder synced, by the store itself
        const bool name_kept =
            fate == Fate::kept || (fate != Fate::lost && random() % 2 == 0) ? file.linked : file.name_synced;
        if (!is_database && !name_kept)
            continue;
        std::string content = file.synced;
        write_pending(content, file.pending, fate, random);
        std::ofstream(into / name, std::ios::binary) << content;
    }
}

std::vector<std::uint64_t> PowerCut::acknowledged(std::size_t count) const {
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < count; ++i)
        if (steps_[i].kind == Step::Kind::acknowledge)
            numbers.push_back(steps_[i].number);
    return numbers;
}

} // namespace picket::store
