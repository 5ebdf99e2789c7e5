#pragma once
#include <string>
#include <string_view>

#include <picket/base/error.h>
#include <picket/data/json.h>
#include <picket/model/exit_code.h>

namespace picket::install {

/// Why a verb did not succeed, for people and for machines: {code, name, message, fix}.
struct Failure {
    InstallerExit exit = InstallerExit::internal;
    std::string message;
    std::string fix; ///< empty: the general sentence of that exit code
};

/// "requirement_not_met": the stable name of an exit code.
std::string_view name_of(InstallerExit exit);
/// One sentence: what a person does about it.
std::string_view general_fix(InstallerExit exit);

Failure failure_from(InstallerExit exit, const Error& error, std::string fix = {});
data::Json to_json(const Failure& failure);

} // namespace picket::install
