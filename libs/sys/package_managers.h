#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <picket/sys/packages.h>
#include <picket/sys/process.h>

/// Private to libs/sys: the package managers that package_manager_of() chooses from.
namespace picket::sys {

constexpr Milliseconds kPackageTimeout{600'000};
constexpr Milliseconds kQueryTimeout{30'000};

std::unique_ptr<PackageManager> make_dpkg(std::string label);
std::unique_ptr<PackageManager> make_rpm(const Root& root);
/// "" where there is none.
std::string rpm_database(const Root& root);

/// The lines that say why, without the progress around them; at most 400 characters.
std::string reason_of(const RunOutcome& outcome);
/// unavailable where the program said one of the phrases, internal otherwise.
Error package_failure(std::string_view program, const RunOutcome& outcome,
                      std::span<const std::string_view> lock_phrases);

} // namespace picket::sys
