#pragma once
#include <string>

#include <picket/base/result.h>

#include "disk.h"
#include "entry.h"
#include "walk.h"

namespace picket::remedy {

/// Finds the judged file under its name. not_found: no such directory, or nothing of that name. conflict: something
/// else has the name.
Result<Place> locate(Disk& disk, int root, const std::string& path, const FileIdentity& identity);

/// Renames the file to `held_name` in the held directory, looks whether it is the judged one, and unlinks it; anything
/// else is put back. `judged_fd`, where there is one (>= 0), pins the inode, so its number cannot come to mean another
/// file, and shows a late change of the content.
/// Errors: conflict = it is another file, or has changed; else the errno of the rename or unlink. After an error the
/// file is at its old name; only where that was taken meanwhile does it stay under held_name, and the message says so.
Result<void> remove_judged(Disk& disk, const Place& place, const std::string& held_name, const FileIdentity& identity,
                           int judged_fd);

/// `from` back to `to`, never replacing anything.
Result<void> put_back(Disk& disk, int directory, const std::string& from, const std::string& to);

/// FS_IOC_GETVERSION, -1 where there is none.
std::int64_t generation_of(int fd);

} // namespace picket::remedy
