#pragma once
#include <string_view>

namespace picket::host {

/// libs/host/support_matrix.yaml as it was when this program was built.
std::string_view built_in_support_matrix();

} // namespace picket::host
