#pragma once

namespace picket::profile {

/// profiles/schema/picket-profile.schema.json as it was when this was built.
extern const char* const kSchemaText;

} // namespace picket::profile
