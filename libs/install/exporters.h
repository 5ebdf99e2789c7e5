#pragma once
#include <picket/install/export.h>

/// Private to libs/install: the rows of the table in export.cpp.
namespace picket::install {

Result<std::vector<ExportedFile>> make_repository_export(const ExportContext& context);
Failure repository_export_failure(const ExportRequest& request, const Error& error);

} // namespace picket::install
