#include <picket/profile/import_mde.h>

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/lenient_json.h>
#include <picket/profile/effective.h>
#include <picket/profile/weakening.h>

#include "json_positions.h"
#include "lenient.h"
#include "mde_fit.h"
#include "mde_keys.h"
#include "walker.h"

namespace picket::profile {
namespace {

using data::Json;

constexpr std::size_t kMaximumEntries = 10'000;
constexpr const char* kLevel = "/antivirusEngine/enforcementLevel";

std::string dotted(std::string_view pointer) {
    std::string text(pointer.substr(pointer.starts_with('/') ? 1 : 0));
    std::replace(text.begin(), text.end(), '/', '.');
    return text;
}

/// 2.0 equals 2, but it is not the same.
bool is_same(const Json& a, const Json& b) {
    return data::to_text(a) == data::to_text(b);
}

/// One thing of the file on its way.
struct Item {
    std::string key;     ///< for people
    std::string pointer; ///< in the file
};

class Importer {
  public:
    Importer(const Json& theirs, std::string_view text)
        : theirs_(theirs), positions_(json_positions(text)), defaults_(compile(merge({}).document)) {
        document_ = Json::object();
        for (const RepeatedKey& repeated : repeated_keys(text))
            add({ImportAction::dropped,
                 dotted(repeated.pointer),
                 repeated.position,
                 "",
                 "the key was there before: the last one counts",
                 {}});
    }

    void run() {
        section(theirs_, "");
        old_switches();
        notes();
        std::stable_sort(entries_.begin(), entries_.end(), [](const ImportEntry& a, const ImportEntry& b) {
            return std::pair(a.position.line == 0 ? INT32_MAX : a.position.line, a.position.column) <
                   std::pair(b.position.line == 0 ? INT32_MAX : b.position.line, b.position.column);
        });
    }
    Json take_document() { return std::move(document_); }
    std::vector<ImportEntry> take_entries() { return std::move(entries_); }

  private:
    void add(ImportEntry entry) {
        if (entries_.size() < kMaximumEntries)
            entries_.push_back(std::move(entry));
        else if (entries_.size() == kMaximumEntries)
            entries_.push_back({ImportAction::noted, "", {}, "", "more was found than is told here", {}});
    }

    data::Position place_of(const std::string& pointer) const {
        const auto found = positions_.find(pointer);
        return found == positions_.end() ? data::Position{} : found->second;
    }
    void drop(const Item& item, std::string reason) {
        add({ImportAction::dropped, item.key, place_of(item.pointer), "", std::move(reason), {}});
    }

    void section(const Json& section, const std::string& prefix) {
        for (const auto& [name, value] : section.items()) {
            const Item item{(prefix.empty() ? "" : dotted(prefix) + ".") + name, prefix + "/" + pointer_step(name)};
            if (const MdeKey* key = find_mde_key(item.key))
                leaf(*key, item, value);
            else if (is_mde_section(item.key) && value.is_object())
                this->section(value, item.pointer);
            else if (is_mde_section(item.key))
                drop(item, fmt::format("must be a section with keys, not {}", shown(value)));
            else if (const std::string meant = meant_mde_key(item.key); !meant.empty())
                drop(item, fmt::format("no such key there either; did you mean {}?", meant));
            else
                drop(item, "no such key there either");
        }
    }

    void leaf(const MdeKey& key, const Item& item, const Json& value) {
        if (value.is_null())
            return drop(item, "holds nothing");
        switch (key.treatment) {
        case MdeTreatment::plain:
            return take(key, item, value, fit(node_of(key), value, key.remark));
        case MdeTreatment::time_of_day: {
            Fitted fitted = fit(node_of(key), value, key.remark);
            if (fitted.value && *fitted.value == Json(1'440)) {
                fitted.value = 0;
                fitted.said.emplace_back("1440 is midnight there, and never here: 0");
            }
            return take(key, item, value, std::move(fitted));
        }
        case MdeTreatment::exclusions:
            return list(key, item, value, [&](const Json& node, const Json& element) {
                return fit_exclusion(node, element, key.key.starts_with("exclusionSettings"));
            });
        case MdeTreatment::words:
            return list(key, item, value, fit_word);
        case MdeTreatment::threat_types:
            return list(key, item, value, fit_threat_type);
        case MdeTreatment::old_switch:
            return; // settled together, at the end
        case MdeTreatment::dropped:
            return drop(item, std::string(key.remark));
        }
    }

    static const Json& node_of(const MdeKey& key) { return *find_key(key.target)->node; }

    /// Puts a value into the document and says so.
    void take(const MdeKey& key, const Item& item, const Json& theirs, Fitted fitted) {
        if (!fitted.value)
            return drop(item, join(fitted.said, "; "));
        fitted.changed = !is_same(*fitted.value, theirs);
        enter(item, key.target, *fitted.value, fitted);
        set_value_at(document_, key.target, std::move(*fitted.value));
    }
    void enter(const Item& item, std::string_view target, const Json& alone, const Fitted& fitted) {
        Json single = Json::object();
        set_value_at(single, target, alone);
        ImportEntry entry{fitted.changed ? ImportAction::converted : ImportAction::taken,
                          item.key,
                          place_of(item.pointer),
                          find_key(target)->dotted,
                          join(fitted.said, "; "),
                          {}};
        const PolicySnapshot policy = compile(merge({{Layer::managed, "", std::move(single)}}).document);
        for (Weakening& weakening : find_weakenings(*defaults_, *policy))
            entry.weakens.push_back(std::move(weakening.message));
        add(std::move(entry));
    }

    using FitElement = std::function<Fitted(const Json& node, const Json& element)>;
    void list(const MdeKey& key, const Item& item, const Json& value, const FitElement& fit_element) {
        const Json elements = split_elements(key, value);
        if (!elements.is_array())
            return drop(item, fmt::format("must be a list, not {}", shown(value)));
        const bool was_split = elements != value;
        const Json& node = node_of(key);
        const auto maximum = static_cast<std::size_t>(data::integer_or(node, "maxItems", INT64_MAX));
        Json ours = Json::array();
        for (std::size_t i = 0; i < elements.size(); ++i) {
            const Item element{fmt::format("{}[{}]", item.key, i),
                               was_split ? item.pointer : fmt::format("{}/{}", item.pointer, i)};
            Fitted fitted = fit_element(data::member(node, "items"), elements[i]);
            if (fitted.value && ours.size() == maximum)
                fitted = refuse(fmt::format("a list has at most {} elements", maximum));
            if (!fitted.value) {
                drop(element, join(fitted.said, "; "));
                continue;
            }
            fitted.changed = was_split || !is_same(*fitted.value, elements[i]);
            enter(element, key.target, Json::array({*fitted.value}), fitted);
            ours.push_back(std::move(*fitted.value));
        }
        set_value_at(document_, key.target, std::move(ours));
    }
    /// Words may stand in one text with commas, as a list, or in a list of one.
    static Json split_elements(const MdeKey& key, const Json& value) {
        if (key.treatment != MdeTreatment::words)
            return value;
        Json list = made_list(value).value;
        if (!list.is_array())
            return list;
        Json all = Json::array();
        for (const Json& element : list) {
            Json parts = made_list(element).value;
            if (!parts.is_array())
                parts = Json::array({element});
            for (Json& part : parts)
                all.push_back(std::move(part));
        }
        return all;
    }

    /// enableRealTimeProtection and passiveMode, which enforcementLevel took the place of.
    void old_switches() {
        const Json& section = data::member(theirs_, "antivirusEngine");
        const Json kBoolean = {{"type", "boolean"}};
        bool on = true;
        bool passive = false;
        std::optional<Item> last;
        for (const char* name : {"enableRealTimeProtection", "passiveMode"}) {
            const Json& value = data::member(section, name);
            if (value.is_null())
                continue;
            const Item item{fmt::format("antivirusEngine.{}", name), fmt::format("/antivirusEngine/{}", name)};
            const Json truth = made_fit(value, kBoolean).value;
            if (!truth.is_boolean()) {
                drop(item, fmt::format("must be true or false, not {}", shown(value)));
            } else if (!value_at(document_, kLevel).is_null()) {
                drop(item, "enforcementLevel says it");
            } else {
                (std::string_view(name) == "passiveMode" ? passive : on) = truth.get<bool>();
                last = item;
            }
        }
        if (!last)
            return;
        const Json level = passive ? "passive" : on ? "real_time" : "on_demand";
        enter(*last, kLevel, level,
              {level, {fmt::format("an old switch: enforcementLevel is {} here", shown(level))}, true});
        set_value_at(document_, kLevel, level);
    }

    /// What the file leaves to its own product's defaults, where ours are others.
    void notes() {
        const auto note = [&](const char* pointer, const char* reason) {
            if (value_at(document_, pointer).is_null())
                add({ImportAction::noted, dotted(pointer), {}, dotted(pointer), reason, {}});
        };
        note(kLevel, "is not set by the file: mdatp is passive then, Picket protects (real_time). Begin with the "
                     "profile audit-first where nothing was blocked before");
        note("/antivirusEngine/unmonitoredFilesystems",
             "is not set by the file: mdatp leaves fuse, nfs, nfs4, cifs and smb out then, Picket none");
        if (value_at(document_, "/antivirusEngine/scheduledScan") == Json("enabled"))
            note("/scheduledScan/dailyConfiguration/timeOfDay",
                 "is not set by the file: mdatp scans at midnight then, Picket at no fixed time");
    }

    const Json& theirs_;
    const std::map<std::string, data::Position> positions_;
    const PolicySnapshot defaults_;
    Json document_;
    std::vector<ImportEntry> entries_;
};

std::string_view without_byte_order_mark(std::string_view text) {
    constexpr std::string_view kMark = "\xef\xbb\xbf";
    return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

} // namespace

MdeImport import_mde(std::string_view text, const std::string& file) {
    text = without_byte_order_mark(text);
    MdeImport result;
    result.document = Json::object();
    const auto parsed = data::parse_json_last_counts(text, {Bytes{kMaximumFileBytes}, 32});
    if (!parsed) {
        result.problem = Problem{file, position_in(parsed.error().message()), "", parsed.error().message(), ""};
        return result;
    }
    if (!parsed->is_object()) {
        result.problem =
            Problem{file, {1, 1}, "", fmt::format("must be an object with sections, not {}", shown(*parsed)), ""};
        return result;
    }
    Importer importer(*parsed, text);
    importer.run();
    result.document = importer.take_document();
    result.entries = importer.take_entries();
    return result;
}

} // namespace picket::profile
