#include <picket/data/schema.h>

#include <fmt/format.h>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace picket::data {

Result<std::vector<SchemaProblem>> check_schema(const Json& schema, const Json& document) {
    try {
        valijson::Schema compiled;
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema), compiled);
        valijson::Validator validator;
        valijson::ValidationResults results;
        std::vector<SchemaProblem> problems;
        if (validator.validate(compiled, valijson::adapters::NlohmannJsonAdapter(document), &results))
            return problems;
        valijson::ValidationResults::Error error;
        while (results.popError(error)) {
            // Its context is "<root>", "[key]", "[0]" …
            std::string pointer;
            for (std::string part : error.context) {
                if (part == "<root>")
                    continue;
                if (part.size() >= 2 && part.front() == '[' && part.back() == ']')
                    part = part.substr(1, part.size() - 2);
                pointer += "/" + part;
            }
            problems.push_back({pointer, error.description});
        }
        if (problems.empty())
            problems.push_back({"", "does not match the schema"});
        return problems;
    } catch (const std::exception& error) {
        return Error(ErrorCode::internal, fmt::format("schema: {}", error.what()));
    }
}

} // namespace picket::data
