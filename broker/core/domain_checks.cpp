#include "broker/core/domain_checks.hpp"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "broker/base/event_fields.hpp"
#include "broker/base/event_schema.hpp"
#include "broker/base/identifiers.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/utf8.hpp"
#include "broker/core/event_dates.hpp"

namespace carehub::core {
namespace {

using event_schema::Field;
using event_schema::TableType;
using flatbuffers::Table;
using flatbuffers::uoffset_t;

/// Each is looked up when an event is linked to its person.
constexpr std::size_t kLocalIdentifiersMax = 64;
constexpr std::size_t kLinkedIdentifiersMax = 16;

/// Texts that a person writes; all others are names, codes and numbers.
constexpr std::string_view kProse[] = {"narrative",  "text", "reason_text",  "summary",
                                       "medication", "note", "actions_taken"};

class Faults {
 public:
  void add(std::string code, std::string place, std::string text) {
    if (list_.size() < kFaultsMax) list_.push_back({std::move(code), std::move(place), std::move(text)});
  }
  bool full() const { return list_.size() >= kFaultsMax; }
  std::vector<EventFault> take() { return std::move(list_); }

 private:
  std::vector<EventFault> list_;
};

/// A narrative is not lost for a stray form feed; a name or a code has no business with one.
bool holds_control(std::string_view text, bool prose) {
  if (prose) return text.find('\0') != std::string_view::npos;
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f;
  });
}

const std::uint8_t* follow(const std::uint8_t* address) {
  return address + flatbuffers::ReadScalar<uoffset_t>(address);
}

std::string_view text_at(const std::uint8_t* address) {
  return reinterpret_cast<const flatbuffers::String*>(follow(address))->string_view();
}

/// Looks at every field once. The path is text only where there is a fault to name.
class FieldChecks {
 public:
  explicit FieldChecks(Faults& faults) : faults_(faults) {}

  void check(const Table& table, const TableType& type) {
    for (const auto& field : type.fields) {
      if (over()) return;
      const auto* address = table.GetAddressOf(field.offset);
      if (address == nullptr) continue;
      steps_.push_back({&field, 0});
      if (field.list) {
        check_list(follow(address), field);
      } else {
        check_value(address, field);
      }
      steps_.pop_back();
    }
    if (type.name == "Organisation") check_organisation(table, type);
  }

 private:
  struct Step {
    const Field* field;
    uoffset_t index;
  };

  /// What links records is looked at each time somebody asks about one of them.
  static std::size_t elements_max(const Field& field) {
    if (field.name == "local_identifiers") return kLocalIdentifiersMax;
    const bool links = field.name == "identifiers" || field.name == "surviving" || field.name == "retired";
    return links ? kLinkedIdentifiersMax : limits::kListItemsMax;
  }

  void check_list(const std::uint8_t* list, const Field& field) {
    const auto size = flatbuffers::ReadScalar<uoffset_t>(list);
    const auto size_max = elements_max(field);
    if (size > size_max) {
      fault("list_too_long", "holds more than " + std::to_string(size_max) + " elements. Split the message.");
      return;
    }
    if (field.kind != FieldKind::text && field.kind != FieldKind::table) {
      visit(size);
      return;
    }
    for (uoffset_t i = 0; i < size && !over(); ++i) {
      steps_.back().index = i;
      check_value(list + sizeof(uoffset_t) + std::size_t{i} * field.size, field);
    }
  }

  bool over() const { return visited_bytes_ > limits::kEventBytesMax || faults_.full(); }

  /// Parts of an event may share bytes, but each has its own in a view: they count each time. One that shares
  /// nothing cannot come to more than its own size.
  bool visit(std::size_t bytes) {
    const bool was_over = visited_bytes_ > limits::kEventBytesMax;
    visited_bytes_ += bytes;
    if (visited_bytes_ <= limits::kEventBytesMax) return true;
    if (!was_over) {
      fault("too_large", "brings the event, each part counted where it is shown, to more than " +
                             std::to_string(limits::kEventBytesMax) + " bytes. Split the message.");
    }
    return false;
  }

  void check_value(const std::uint8_t* address, const Field& field) {
    constexpr std::size_t kOffsetAndHead = 2 * sizeof(uoffset_t);
    const auto bytes = field.kind == FieldKind::text    ? kOffsetAndHead + text_at(address).size()
                       : field.kind == FieldKind::table ? kOffsetAndHead
                                                        : std::size_t{field.size};
    if (!visit(bytes)) return;
    switch (field.kind) {
      case FieldKind::table: return check(*reinterpret_cast<const Table*>(follow(address)), *field.table);
      case FieldKind::text: return check_text(text_at(address), field);
      case FieldKind::time:
        if (!moments_of(copied(reinterpret_cast<const event::Time*>(address)))) {
          fault("time_invalid",
                "is outside 1900 to 2200, or its offset is not one. Correct it at its source.");
        }
        return;
      case FieldKind::date:
        if (!days_of(copied(reinterpret_cast<const event::Date*>(address)))) {
          fault("date_invalid", "is no calendar date from 1900 to 2200. Correct it at its source.");
        }
        return;
      case FieldKind::integer:
      case FieldKind::enumeration: return;
    }
  }

  void check_text(std::string_view text, const Field& field) {
    const bool prose = std::ranges::find(kProse, std::string_view(field.name)) != std::end(kProse);
    const auto bytes_max = prose ? limits::kProseBytesMax : limits::kFieldBytesMax;
    if (text.size() > bytes_max) {
      fault("text_too_long",
            "is longer than " + std::to_string(bytes_max) + " bytes. Shorten it at its source.");
    } else if (!is_utf8(text)) {
      fault("text_invalid", "is not UTF-8. Name the right character set in the channel or the message.");
    } else if (holds_control(text, prose)) {
      fault("text_invalid", "holds a control character. Remove it at its source.");
    } else if (field.name.ends_with("nhs_number")) {
      check_identifier<NhsNumber>("nhs_number_invalid", text);
    } else if (field.name == "upn") {
      check_identifier<Upn>("upn_invalid", text);
    }
  }

  void check_organisation(const Table& table, const TableType& type) {
    using event::OrganisationScheme;
    const auto& organisation = reinterpret_cast<const event::Organisation&>(table);
    if (organisation.code() == nullptr) return;
    const auto code = organisation.code()->string_view();
    steps_.push_back({type.find("code"), 0});
    switch (organisation.scheme()) {
      case OrganisationScheme::ods: check_identifier<OdsCode>("ods_code_invalid", code); break;
      case OrganisationScheme::gss: check_identifier<GssCode>("gss_code_invalid", code); break;
      case OrganisationScheme::urn: check_identifier<Urn>("urn_invalid", code); break;
      case OrganisationScheme::laestab: check_identifier<Laestab>("laestab_invalid", code); break;
      default: break;
    }
    steps_.pop_back();
  }

  template <class Identifier>
  void check_identifier(const char* code, std::string_view text) {
    const auto identifier = Identifier::parse(text);
    if (!identifier) fault(code, identifier.error().text);
  }

  void fault(const char* code, std::string text) {
    std::string path;
    for (const auto& step : steps_) {
      if (!path.empty()) path.push_back('.');
      path += step.field->name;
      if (step.field->list) path += "[" + std::to_string(step.index) + "]";
    }
    faults_.add(code, std::move(path), std::move(text));
  }

  Faults& faults_;
  std::vector<Step> steps_;
  std::size_t visited_bytes_ = 0;
};

void check_envelope(const event::Event& event, Faults& faults) {
  if (event.id()->size() == 0 || event.id()->size() > limits::kNameBytesMax) {
    faults.add("id_invalid", "id", "is empty or too long. Give each event a UUID of its own.");
  }
  if (event.source_agency()->size() == 0 || event.source_agency()->size() > limits::kNameBytesMax) {
    faults.add("agency_invalid", "source_agency",
               "is empty or too long. Give the configured id of the agency.");
  }
  if (event.type() == event::EventType::unknown || event.type() > event::EventType::MAX) {
    faults.add("type_unknown", "type", "is no event type of this version. Name one of event.fbs.");
  }
}

/// Exactly the payload that `type` names.
void check_payload(const event::Event& event, Faults& faults) {
  if (event.type() == event::EventType::unknown || event.type() > event::EventType::MAX) return;
  const auto& table = reinterpret_cast<const Table&>(event);
  const std::string_view own = event_type_name(event.type());
  for (const auto& field : event_schema::event_table().fields) {
    if (field.kind != FieldKind::table || field.name == "person") continue;
    const bool present = table.GetAddressOf(field.offset) != nullptr;
    if (field.name == own && !present) {
      faults.add("payload_missing", field.name,
                 "is missing, though the event's type names it. Fill it in the mapping.");
    } else if (field.name != own && present) {
      faults.add("payload_extra", field.name,
                 "belongs to another event type. Send it as an event of its own.");
    }
  }
}

/// True when the one ended, at the latest, before the other began, at the earliest.
bool certainly_before(const event::Time* left, const event::Time* right) {
  if (left == nullptr || right == nullptr) return false;
  const auto ended = moments_of(copied(left));
  const auto began = moments_of(copied(right));
  return ended && began && ended->last_us < began->first_us;
}

std::optional<DayRange> days_of_event(const event::Event& event, Timestamp now) {
  if (const auto* occurred = event.occurred_at()) return days_of(copied(occurred));
  const auto us = event.received_at() != 0 ? event.received_at() : now.us;
  return days_of(event::Time(us, 0, event::TimePrecision::subsecond));
}

void check_order(const event::Event& event, Timestamp now, Faults& faults) {
  if (const auto* person = event.person(); person != nullptr && person->birth_date() != nullptr) {
    const auto born = days_of(copied(person->birth_date()));
    const auto on = days_of_event(event, now);
    // A day's grace: the event's day is that of its own time zone.
    if (born && on &&
        std::chrono::sys_days{born->first} > std::chrono::sys_days{on->last} + std::chrono::days{1}) {
      faults.add("born_after_event", "person.birth_date",
                 "is after the event. Correct one of them at its source.");
    }
  }
  if (const auto* discharge = event.discharge()) {
    if (certainly_before(discharge->discharged_at(), discharge->admitted_at())) {
      faults.add("discharged_before_admitted", "discharge.discharged_at",
                 "is before discharge.admitted_at. Correct one of them at its source.");
    }
  }
  if (const auto* flag = event.safeguarding_flag()) {
    if (certainly_before(flag->closed_at(), flag->raised_at())) {
      faults.add("closed_before_raised", "safeguarding_flag.closed_at",
                 "is before safeguarding_flag.raised_at. Correct one of them at its source.");
    }
  }
}

}  // namespace

std::vector<EventFault> check_event(const event::Event& event, Timestamp now) {
  Faults faults;
  check_envelope(event, faults);
  check_payload(event, faults);
  FieldChecks(faults).check(reinterpret_cast<const Table&>(event), event_schema::event_table());
  check_order(event, now, faults);
  return faults.take();
}

std::optional<EventFault> type_fault(const std::string& agency,
                                     const std::vector<event::EventType>& may_publish,
                                     event::EventType type) {
  if (std::ranges::find(may_publish, type) != may_publish.end()) return std::nullopt;
  return EventFault{"type_not_permitted", "type",
                    "agency " + agency + " may not publish " + event_type_name(type) +
                        ": may_publish in the hub's configuration decides"};
}

bool scope_is_certain(const std::vector<EventFault>& faults) {
  return std::ranges::none_of(faults, [](const EventFault& fault) {
    return fault.place.starts_with("person.birth_date") || fault.place.starts_with("occurred_at");
  });
}

}  // namespace carehub::core
