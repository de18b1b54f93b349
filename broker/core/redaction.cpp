#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/event_schema.hpp"
#include "broker/core/event_dates.hpp"
#include "broker/core/policy.hpp"
#include "broker/core/present_name.hpp"

/// The view is written anew, field by field, from what the rule's paths name. Nothing is copied in blocks, so
/// nothing that no path names can come along: neither a neighbour in a list, nor padding, nor a field of a
/// newer schema.
namespace carehub::core {
namespace {

using event_schema::Field;
using event_schema::TableType;
using flatbuffers::Offset;
using flatbuffers::Table;
using flatbuffers::uoffset_t;

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

/// A path of the rule that leads through, or ends at, the table or field that is looked at.
struct Claim {
  const FieldPath* path;
  const CoarsenedField* coarsened;  // nullptr: shown as it is
};
using Claims = std::vector<Claim>;

/// Lists that are lent out as a recursion goes down and given back as it returns, so that their memory is
/// used again.
template <class T>
class Lists {
 public:
  class Loan {
   public:
    explicit Loan(Lists& lender) : lender_(lender), list_(lender.lend()) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() { --lender_.lent_; }
    std::vector<T>& operator*() { return list_; }
    std::vector<T>* operator->() { return &list_; }

   private:
    Lists& lender_;
    std::vector<T>& list_;
  };

 private:
  std::vector<T>& lend() {
    if (lent_ == all_.size()) all_.emplace_back();
    auto& list = all_[lent_++];
    list.clear();
    return list;
  }

  std::deque<std::vector<T>> all_;
  std::size_t lent_ = 0;
};

bool ends_at(const Claim& claim, std::size_t depth) { return claim.path->steps().size() == depth + 1; }

void add_claims(const DisclosureRule& rule, Claims& claims) {
  for (const auto& path : rule.show) claims.push_back({&path, nullptr});
  for (const auto& coarsened : rule.coarsen) claims.push_back({&coarsened.path, &coarsened});
}

/// What the rule says about one value: the coarsest of what is said counts.
struct Verdict {
  bool shown = false;
  const CoarsenedField* coarsened = nullptr;
};

Verdict verdict_of(const Claims& claims, std::size_t depth, bool all_shown) {
  Verdict verdict{.shown = all_shown};
  for (const auto& claim : claims) {
    if (!ends_at(claim, depth)) continue;
    if (claim.coarsened == nullptr) {
      verdict.shown = true;
    } else if (verdict.coarsened == nullptr || claim.coarsened->how > verdict.coarsened->how) {
      verdict.coarsened = claim.coarsened;
    }
  }
  return verdict;
}

/// A view shows the calendar period that was written, in UTC: an offset of its own would tell summer from
/// winter.
std::optional<event::Time> coarse_time(const event::Time& time, Coarsening how) {
  using event::TimePrecision;
  const auto day = local_day(time);
  if (!day) return std::nullopt;
  auto precision = how == Coarsening::to_year    ? TimePrecision::year
                   : how == Coarsening::to_month ? TimePrecision::month
                                                 : TimePrecision::day;
  if (time.precision() != TimePrecision::unknown) precision = std::min(precision, time.precision());
  auto start = *day;
  if (precision < TimePrecision::day) start = start.year() / start.month() / std::chrono::day{1};
  if (precision < TimePrecision::month) start = start.year() / std::chrono::January / std::chrono::day{1};
  return event::Time(std::chrono::sys_days{start}.time_since_epoch().count() * kDayUs, 0, precision);
}

event::Date coarse_date(const event::Date& date, Coarsening how) {
  return event::Date(date.year(), how == Coarsening::to_year ? std::uint8_t{0} : date.month(), 0);
}

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// The part before the last three characters of a UK postcode, which are a digit and two letters (BS 7666).
std::string_view outward_part(std::string_view postcode) {
  constexpr std::size_t kInwardSize = 3;
  constexpr std::size_t kOutwardMin = 2;
  constexpr std::size_t kOutwardMax = 4;
  while (!postcode.empty() && postcode.back() == ' ') postcode.remove_suffix(1);
  if (postcode.size() < kInwardSize + kOutwardMin) return {};
  const auto inward = postcode.substr(postcode.size() - kInwardSize);
  auto outward = postcode.substr(0, postcode.size() - kInwardSize);
  while (!outward.empty() && outward.back() == ' ') outward.remove_suffix(1);
  const bool inward_fits = inward[0] >= '0' && inward[0] <= '9' && inward[1] > '9' && inward[2] > '9';
  const bool fits = outward.size() >= kOutwardMin && outward.size() <= kOutwardMax && inward_fits &&
                    std::ranges::all_of(outward, is_letter_or_digit) &&
                    std::ranges::all_of(inward, is_letter_or_digit);
  return fits ? outward : std::string_view{};
}

const std::uint8_t* follow(const std::uint8_t* address) {
  return address + flatbuffers::ReadScalar<uoffset_t>(address);
}

std::string_view text_at(const std::uint8_t* address) {
  return reinterpret_cast<const flatbuffers::String*>(follow(address))->string_view();
}

/// One field of a table that is being written.
struct Slot {
  const Field* field;
  uoffset_t offset = 0;     // of text, tables and lists
  std::int64_t number = 0;  // of integers and enumerations
  event::Time time{};
  event::Date date{};
};

/// Memory that one redaction leaves to the next.
struct Workspace {
  flatbuffers::FlatBufferBuilder builder;
  Lists<Slot> slots;
  Lists<Claim> claims;
};

class Redactor {
 public:
  Redactor(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
           const storage::SecretKey& pseudonyms, Workspace& workspace)
      : event_(event),
        rule_(rule),
        marks_(static_cast<RestrictionSet>(marks & ~rule.sees_restricted)),
        addressee_(addressee_of(rule, event)),
        pseudonyms_(pseudonyms),
        payload_(event_schema::event_table().find(event_type_name(event.type()))),
        builder_(workspace.builder),
        slots_(workspace.slots),
        claims_(workspace.claims) {
    builder_.Clear();
  }

  Bytes redact() {
    static const auto& type = event_schema::event_table();
    static const Field& id = *type.find("id");
    static const Field& source_agency = *type.find("source_agency");
    static const Field& event_type = *type.find("type");
    Lists<Claim>::Loan claims(claims_);
    add_claims(rule_, *claims);
    Lists<Slot>::Loan slots(slots_);
    add_slots(reinterpret_cast<const Table*>(&event_), type, *claims, 0, false, *slots);
    require(*slots, id, event_.id()->string_view());
    require(*slots, source_agency, "");
    set_number(*slots, event_type, static_cast<std::int64_t>(event_.type()));
    builder_.Finish(Offset<event::Event>(write(*slots, type)), event::EventIdentifier());
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

 private:
  static bool has(const std::vector<Slot>& slots, const Field& field) {
    return std::ranges::find(slots, &field, &Slot::field) != slots.end();
  }

  void require(std::vector<Slot>& slots, const Field& field, std::string_view fallback) {
    if (!has(slots, field)) slots.push_back({.field = &field, .offset = builder_.CreateString(fallback).o});
  }

  static void set_number(std::vector<Slot>& slots, const Field& field, std::int64_t number) {
    std::erase_if(slots, [&field](const Slot& slot) { return slot.field == &field; });
    slots.push_back({.field = &field, .number = number});
  }

  /// What of a table is shown. `table` is nullptr where the event has none: then only `replaced` fills
  /// fields.
  void add_slots(const Table* table, const TableType& type, const Claims& claims, std::size_t depth,
                 bool all_shown, std::vector<Slot>& slots) {
    Lists<Claim>::Loan below(claims_);
    const bool replaces = std::ranges::any_of(claims, [](const Claim& claim) {
      return claim.coarsened != nullptr && claim.coarsened->how == Coarsening::replaced;
    });
    for (const auto& field : type.fields) {
      const bool hidden =
          table == nullptr || (marks_ != 0 && hides_field(marks_, field.name)) ||
          (rule_.addressee_only && type.name == "Person" && hides_contact(addressee_, field.name));
      const auto* address = hidden ? nullptr : table->GetAddressOf(field.offset);
      if (address == nullptr && !replaces) continue;  // only what is replaced shows where nothing is
      below->clear();
      for (const auto& claim : claims) {
        if (claim.path->steps()[depth].field == field.id) below->push_back(claim);
      }
      if (!all_shown && below->empty()) continue;
      if (depth == 0 && !may_appear(field)) continue;
      if (auto slot = slot_of(address, field, *below, depth, all_shown)) slots.push_back(*slot);
    }
  }

  /// At the top: the envelope, the person where there is one, and the event's own payload.
  bool may_appear(const Field& field) const {
    if (field.kind != FieldKind::table) return true;
    if (field.name == "person") return event_.person() != nullptr;
    return &field == payload_;
  }

  std::optional<Slot> slot_of(const std::uint8_t* address, const Field& field, const Claims& claims,
                              std::size_t depth, bool all_shown) {
    if (field.list) {
      const auto offset = list_of(address, field, claims, depth, all_shown);
      if (!offset) return std::nullopt;
      return Slot{.field = &field, .offset = *offset};
    }
    const auto verdict = verdict_of(claims, depth, all_shown);
    switch (field.kind) {
      case FieldKind::table:
      case FieldKind::text: {
        const auto offset = element_of(address, field, claims, depth, verdict);
        if (!offset) return std::nullopt;
        return Slot{.field = &field, .offset = *offset};
      }
      case FieldKind::integer:
      case FieldKind::enumeration: return number_slot(address, field, verdict);
      case FieldKind::time: return time_slot(address, field, verdict);
      case FieldKind::date: return date_slot(address, field, verdict);
    }
    return std::nullopt;
  }

  static std::optional<Slot> number_slot(const std::uint8_t* address, const Field& field,
                                         const Verdict& verdict) {
    // received_at is the one number that is a time; a policy cannot coarsen a number, so a rule that does
    // shows nothing.
    if (address == nullptr || !verdict.shown || verdict.coarsened != nullptr) return std::nullopt;
    return Slot{.field = &field, .number = event_schema::read_number(field, address)};
  }

  static std::optional<Slot> time_slot(const std::uint8_t* address, const Field& field,
                                       const Verdict& verdict) {
    if (address == nullptr) return std::nullopt;
    // Read by its parts and written anew: the padding of the struct stays behind.
    const auto read = copied(reinterpret_cast<const event::Time*>(address));
    const event::Time time(read.utc_us(), read.offset_minutes(), read.precision());
    if (verdict.coarsened != nullptr) {
      if (verdict.coarsened->how > Coarsening::to_year) return std::nullopt;
      const auto coarse = coarse_time(time, verdict.coarsened->how);
      if (!coarse) return std::nullopt;
      return Slot{.field = &field, .time = *coarse};
    }
    if (!verdict.shown) return std::nullopt;
    return Slot{.field = &field, .time = time};
  }

  static std::optional<Slot> date_slot(const std::uint8_t* address, const Field& field,
                                       const Verdict& verdict) {
    if (address == nullptr) return std::nullopt;
    const auto date = copied(reinterpret_cast<const event::Date*>(address));
    if (verdict.coarsened != nullptr) {
      const auto how = verdict.coarsened->how;
      if (how != Coarsening::to_month && how != Coarsening::to_year) return std::nullopt;
      return Slot{.field = &field, .date = coarse_date(date, how)};
    }
    if (!verdict.shown) return std::nullopt;
    return Slot{.field = &field, .date = date};
  }

  /// A text or a table: of a field, or of one element of a list.
  std::optional<uoffset_t> element_of(const std::uint8_t* address, const Field& field, const Claims& claims,
                                      std::size_t depth, const Verdict& verdict) {
    if (field.kind == FieldKind::text) return text_of(address, verdict);
    Lists<Claim>::Loan below(claims_);
    for (const auto& claim : claims) {
      if (!ends_at(claim, depth)) below->push_back(claim);
    }
    if (!verdict.shown && below->empty()) return std::nullopt;
    const auto* table = address == nullptr ? nullptr : reinterpret_cast<const Table*>(follow(address));
    Lists<Slot>::Loan slots(slots_);
    add_slots(table, *field.table, *below, depth + 1, verdict.shown, *slots);
    // A table of which nothing is shown is not there: even an empty one would say that there is something.
    if (slots->empty() && !(verdict.shown && table != nullptr)) return std::nullopt;
    return write(*slots, *field.table);
  }

  std::optional<uoffset_t> text_of(const std::uint8_t* address, const Verdict& verdict) {
    if (verdict.coarsened != nullptr) {
      if (verdict.coarsened->how == Coarsening::replaced) {
        return builder_.CreateString(verdict.coarsened->replacement).o;
      }
      if (address == nullptr) return std::nullopt;
      if (verdict.coarsened->how == Coarsening::pseudonymised)
        return builder_.CreateString(pseudonym_of(text_at(address))).o;
      if (verdict.coarsened->how != Coarsening::to_district) return std::nullopt;
      const auto outward = outward_part(text_at(address));
      if (outward.empty()) return std::nullopt;
      return builder_.CreateString(outward).o;
    }
    if (address == nullptr || !verdict.shown) return std::nullopt;
    return builder_.CreateString(text_at(address)).o;
  }

  /// Nothing where there is nothing: an empty text would tell apart what is said from what is not.
  std::string pseudonym_of(std::string_view value) const {
    if (value.empty()) return {};
    const auto named = "pseudonym:value:" + std::to_string(rule_.role.size()) + ":" + rule_.role + ":";
    return to_hex(storage::keyed_hash(pseudonyms_, named + std::string(value)).bytes);
  }

  uoffset_t names_through_present() const {
    const auto present = present_name(event_);
    return present ? *present + 1 : 0;
  }

  /// The elements of which something is shown, closed up, so that neither their number nor their places tell
  /// more.
  std::optional<uoffset_t> list_of(const std::uint8_t* address, const Field& field, const Claims& claims,
                                   std::size_t depth, bool all_shown) {
    const auto* list = address == nullptr ? nullptr : follow(address);
    auto size = list == nullptr ? 0 : flatbuffers::ReadScalar<uoffset_t>(list);
    const bool one_name = marks_ != 0 && field.name == "names" && hides_other_names(marks_);
    if (one_name) size = names_through_present();
    std::vector<uoffset_t> offsets;
    std::vector<std::uint8_t> numbers;
    Lists<Claim>::Loan here(claims_);
    const auto add = [&](std::int32_t index, const std::uint8_t* element) {
      here->clear();
      for (const auto& claim : claims) {
        const auto claimed = claim.path->steps()[depth].index;
        if (claimed == FieldPath::kEvery || claimed == index) here->push_back(claim);
      }
      const auto verdict = verdict_of(*here, depth, all_shown);
      if (field.kind == FieldKind::text || field.kind == FieldKind::table) {
        if (const auto offset = element_of(element, field, *here, depth, verdict)) offsets.push_back(*offset);
      } else if (element != nullptr && verdict.shown && verdict.coarsened == nullptr) {
        numbers.push_back(*element);
      }
    };
    for (uoffset_t i = 0; i < size; ++i) {
      const bool hidden = one_name && i + 1 < size;
      add(static_cast<std::int32_t>(i),
          hidden ? nullptr : list + sizeof(uoffset_t) + std::size_t{i} * field.size);
    }
    for (const auto index : replaced_beyond(size, claims, depth)) add(index, nullptr);
    if (!offsets.empty()) return builder_.CreateVector(offsets_of(offsets)).o;
    if (!numbers.empty()) return builder_.CreateVector(numbers).o;
    return std::nullopt;
  }

  /// Elements that the event does not have and that a fixed text is put into, in order.
  static std::vector<std::int32_t> replaced_beyond(uoffset_t size, const Claims& claims, std::size_t depth) {
    std::vector<std::int32_t> indices;
    for (const auto& claim : claims) {
      const auto index = claim.path->steps()[depth].index;
      const bool replaced = claim.coarsened != nullptr && claim.coarsened->how == Coarsening::replaced;
      if (replaced && index != FieldPath::kEvery && static_cast<uoffset_t>(index) >= size) {
        indices.push_back(index);
      }
    }
    std::ranges::sort(indices);
    indices.erase(std::ranges::unique(indices).begin(), indices.end());
    return indices;
  }

  static std::vector<Offset<void>> offsets_of(const std::vector<uoffset_t>& from) {
    std::vector<Offset<void>> offsets;
    offsets.reserve(from.size());
    for (const auto offset : from) offsets.emplace_back(offset);
    return offsets;
  }

  uoffset_t write(const std::vector<Slot>& slots, const TableType& type) {
    std::array<const Slot*, event_schema::kFieldsMax> by_id{};
    for (const auto& slot : slots) by_id[slot.field->id] = &slot;
    const auto start = builder_.StartTable();
    for (const auto id : type.write_order) {
      if (by_id[id] != nullptr) add(*by_id[id]);
    }
    return builder_.EndTable(start);
  }

  void add(const Slot& slot) {
    const auto& field = *slot.field;
    if (field.list || field.kind == FieldKind::text || field.kind == FieldKind::table) {
      builder_.AddOffset(field.offset, Offset<void>(slot.offset));
    } else if (field.kind == FieldKind::time) {
      builder_.AddStruct(field.offset, &slot.time);
    } else if (field.kind == FieldKind::date) {
      builder_.AddStruct(field.offset, &slot.date);
    } else {
      add_number(field, slot.number);
    }
  }

  void add_number(const Field& field, std::int64_t number) {
    switch (field.size) {
      case 1: return add_as<std::uint8_t>(field, number);
      case 2: return add_as<std::uint16_t>(field, number);
      case 4: return add_as<std::uint32_t>(field, number);
      default: return add_as<std::uint64_t>(field, number);
    }
  }

  template <class T>
  void add_as(const Field& field, std::int64_t number) {
    builder_.AddElement<T>(field.offset, static_cast<T>(number), static_cast<T>(field.default_value));
  }

  const event::Event& event_;
  const DisclosureRule& rule_;
  const RestrictionSet marks_;  // that hide something from this rule
  const Addressee addressee_;
  const storage::SecretKey& pseudonyms_;
  const Field* payload_;
  flatbuffers::FlatBufferBuilder& builder_;
  Lists<Slot>& slots_;
  Lists<Claim>& claims_;
};

}  // namespace

Result<Bytes> redact(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
                     const storage::SecretKey& pseudonyms) {
  thread_local Workspace workspace;
  return Redactor(event, rule, marks, pseudonyms, workspace).redact();
}

}  // namespace carehub::core
