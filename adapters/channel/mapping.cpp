#include "adapters/channel/mapping.hpp"

#include <algorithm>
#include <functional>

#include "broker/base/assert.hpp"
#include "broker/base/identifiers.hpp"

namespace carehub::adapters {
namespace {

/// The elements that the `[]` of a path stand for, from the left. It is made a thousand times a message.
class Bound {
 public:
  Bound() = default;
  explicit Bound(Indices indices) {
    for (const std::uint32_t index : indices) push_back(index);
  }
  void push_back(std::uint32_t index) {
    CAREHUB_ASSERT(size_ < kOpenListsMax, "no path has more open lists");
    indices_[size_++] = index;
  }
  void pop_back() { --size_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::uint32_t* begin() const { return indices_.data(); }
  const std::uint32_t* end() const { return indices_.data() + size_; }
  const std::uint32_t* data() const { return indices_.data(); }

 private:
  std::array<std::uint32_t, kOpenListsMax> indices_{};
  std::size_t size_ = 0;
};

// A legal message can repeat its lists a million times; all channels wait while one is mapped.
constexpr std::size_t kFaultsMax = 100;      // and as many warnings; the sender mends the first ones first
constexpr std::size_t kBindingsMax = 8'192;  // elements of lists that are looked at, over all rules

template <class Identifier>
Result<std::string> checked(std::string_view text) {
  auto identifier = Identifier::parse(text);
  if (!identifier) return tl::unexpected(identifier.error());
  return identifier->text();
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

Result<std::string> as_time(const Pack& pack, const ValueRule& rule, std::string_view text) {
  Result<event::Time> time = fail(ErrorKind::invalid, "it is not a time");
  for (const std::string& format : rule.formats) {
    time = parse_time_as(text, format, *pack.zone);
    if (time) return time_text(*time);
  }
  if (rule.formats.empty()) {
    time = pack.format == Format::hl7v2 ? parse_hl7_time(text, *pack.zone) : parse_time(text);
  }
  if (!time) return tl::unexpected(time.error());
  return time_text(*time);
}

Result<std::string> as_date(const Pack& pack, const ValueRule& rule, std::string_view text) {
  Result<event::Date> date = fail(ErrorKind::invalid, "it is not a date");
  for (const std::string& format : rule.formats) {
    date = parse_date_as(text, format);
    if (date) return date_text(*date);
  }
  if (rule.formats.empty()) date = pack.format == Format::hl7v2 ? parse_hl7_date(text) : parse_date(text);
  if (!date) return tl::unexpected(date.error());
  return date_text(*date);
}

/// The value as the target takes it.
Result<std::string> in_form(const Pack& pack, const ValueRule& rule, FieldKind kind, std::string_view text) {
  switch (rule.form) {
    case ValueForm::nhs_number: return checked<NhsNumber>(text);
    case ValueForm::upn: return checked<Upn>(upper(text));
    case ValueForm::ods: return checked<OdsCode>(upper(text));
    case ValueForm::urn: return checked<Urn>(text);
    case ValueForm::laestab: return checked<Laestab>(text);
    case ValueForm::gss: return checked<GssCode>(upper(text));
    case ValueForm::upper: return upper(text);
    case ValueForm::time: return as_time(pack, rule, text);
    case ValueForm::date: return as_date(pack, rule, text);
    case ValueForm::by_kind: break;
  }
  if (kind == FieldKind::time) return as_time(pack, rule, text);
  if (kind == FieldKind::date) return as_date(pack, rule, text);
  return std::string(text);
}

/// Whether the text is an identifier of that form; forms that are none fit all.
bool identifies(ValueForm form, std::string_view text) {
  switch (form) {
    case ValueForm::nhs_number: return checked<NhsNumber>(text).has_value();
    case ValueForm::upn: return checked<Upn>(text).has_value();
    case ValueForm::ods: return checked<OdsCode>(text).has_value();
    case ValueForm::urn: return checked<Urn>(text).has_value();
    case ValueForm::laestab: return checked<Laestab>(text).has_value();
    case ValueForm::gss: return checked<GssCode>(text).has_value();
    default: return true;
  }
}

bool condition_holds_at(const Condition& condition, const Source& source, Bound& indices,
                        std::string& scratch) {
  if (indices.size() < condition.path.open_lists) {
    const std::size_t count = source.count(condition.path, indices);
    for (std::uint32_t i = 0; i < count; ++i) {
      indices.push_back(i);
      const bool held = condition_holds_at(condition, source, indices, scratch);
      indices.pop_back();
      if (held) return true;
    }
    return false;
  }
  const Found found = source.find(condition.path, indices, scratch);
  if (condition.kind == ConditionKind::is) return found.present && identifies(condition.form, found.text);
  if (condition.kind == ConditionKind::present || condition.kind == ConditionKind::absent)
    return found.present;
  return std::find(condition.values.begin(), condition.values.end(), found.text) != condition.values.end();
}

bool condition_holds(const Condition& condition, const Source& source, Indices indices) {
  Bound bound(indices);
  std::string scratch;
  const bool any = condition_holds_at(condition, source, bound, scratch);
  const bool against = condition.kind == ConditionKind::not_in || condition.kind == ConditionKind::absent;
  return any != against;
}

/// One value with where it was found. The text lives in the pack, in the message, or in the evaluation until
/// its next value.
struct Picked {
  std::string_view text;
  const SourcePath* source = nullptr;
  Bound indices;
};

/// Evaluates one rule.
class Evaluation {
 public:
  Evaluation(const Pack& pack, const ValueRule& rule, FieldKind kind, const Source& source,
             std::vector<MappingFault>& faults, std::vector<MappingFault>& warnings)
      : pack_(pack), rule_(rule), kind_(kind), source_(source), faults_(faults), warnings_(warnings) {}

  /// The value for one binding of the target's lists; nullopt when there is none.
  std::optional<Picked> value(const Bound& indices) {
    null_ = false;
    fitted_ = false;
    std::optional<Picked> picked;
    if (rule_.constant) {
      if (holds(rule_.when, source_, indices) && each_present(indices))
        picked = Picked{*rule_.constant, nullptr, indices};
      return picked;
    }
    if (!rule_.compose.empty()) {
      picked = composed(indices);
    } else {
      for (const SourcePath& path : rule_.from) {
        Bound bound = indices;
        fitted_ = false;
        if (rule_.join) {
          std::string all;
          join_all(path, bound, all);
          owned_ = std::move(all);
          if (!owned_.empty()) picked = Picked{owned_, &path, indices};
        } else {
          picked = first_of(path, bound);
        }
        if (picked || null_) break;
      }
    }
    if (!picked && !null_ && !failed_ && rule_.fallback && holds(rule_.when, source_, indices)) {
      picked = Picked{*rule_.fallback, nullptr, indices};
    }
    return picked;
  }

  bool failed() const { return failed_; }

 private:
  /// A constant that stands beside a list's elements needs the element itself.
  bool each_present(const Bound& indices) const {
    if (!rule_.each || indices.size() < rule_.each->open_lists) return true;
    std::string scratch;
    const Found found = source_.find(*rule_.each, indices, scratch);
    return found.present;
  }

  std::optional<Picked> first_of(const SourcePath& path, Bound& indices) {
    if (indices.size() < path.open_lists) {
      const std::size_t count = source_.count(path, indices);
      for (std::uint32_t i = 0; i < count; ++i) {
        indices.push_back(i);
        auto picked = first_of(path, indices);
        indices.pop_back();
        if (picked || null_ || fitted_) return picked;
      }
      return std::nullopt;
    }
    if (!holds(rule_.when, source_, indices)) return std::nullopt;
    fitted_ = rule_.first_fit;
    const Found found = source_.find(path, indices, scratch_);
    null_ = found.null;
    if (!found.present) return std::nullopt;
    return converted(found.text, path, indices);
  }

  void join_all(const SourcePath& path, Bound& indices, std::string& all) {
    if (indices.size() < path.open_lists) {
      const std::size_t count = source_.count(path, indices);
      for (std::uint32_t i = 0; i < count; ++i) {
        indices.push_back(i);
        join_all(path, indices, all);
        indices.pop_back();
      }
      return;
    }
    if (!holds(rule_.when, source_, indices)) return;
    const Found found = source_.find(path, indices, scratch_);
    if (!found.present) return;
    const auto picked = converted(found.text, path, indices);
    if (!picked) return;
    if (!all.empty()) all += *rule_.join;
    all += picked->text;
  }

  std::optional<Picked> composed(const Bound& indices) {
    Bound bound = indices;
    const std::size_t most =
        std::max_element(rule_.compose.begin(), rule_.compose.end(), [](const auto& a, const auto& b) {
          return a.open_lists < b.open_lists;
        })->open_lists;
    return composed_within(bound, most);
  }

  std::optional<Picked> composed_within(Bound& indices, std::size_t most) {
    if (indices.size() < most) {
      const auto widest = std::find_if(rule_.compose.begin(), rule_.compose.end(),
                                       [&](const SourcePath& path) { return path.open_lists == most; });
      const std::size_t count = source_.count(*widest, indices);
      for (std::uint32_t i = 0; i < count; ++i) {
        indices.push_back(i);
        auto picked = composed_within(indices, most);
        indices.pop_back();
        if (picked || fitted_) return picked;
      }
      return std::nullopt;
    }
    if (!holds(rule_.when, source_, indices)) return std::nullopt;
    fitted_ = rule_.first_fit;
    composed_.clear();
    const SourcePath* first = nullptr;
    for (const SourcePath& path : rule_.compose) {
      const Found found = source_.find(path, indices, scratch_);
      if (!found.present) continue;
      if (first == nullptr) first = &path;
      if (!composed_.empty()) composed_ += rule_.between;
      composed_ += found.text;
    }
    if (first == nullptr) return std::nullopt;
    return converted(composed_, *first, indices);
  }

  std::optional<Picked> converted(std::string_view text, const SourcePath& path, const Bound& indices) {
    if (rule_.table) {
      const auto known = rule_.table->values.find(text);
      if (known != rule_.table->values.end()) {
        if (known->second.empty()) return std::nullopt;
        return Picked{known->second, &path, indices};
      }
      if (rule_.otherwise) {
        if (rule_.otherwise->empty()) return std::nullopt;
        return Picked{*rule_.otherwise, &path, indices};
      }
      if (rule_.unknown != UnknownCode::keep) {
        complain("unknown_code",
                 "its code is not in table `" + rule_.table->name +
                     "`; add the code to the channel's overrides or correct it",
                 103, path, indices, rule_.unknown == UnknownCode::omit);
        return std::nullopt;
      }
    }
    if (rule_.form == ValueForm::by_kind && kind_ != FieldKind::time && kind_ != FieldKind::date)
      return Picked{text, &path, indices};
    auto value = in_form(pack_, rule_, kind_, text);
    if (!value) {
      complain("bad_value", value.error().text, 102, path, indices, rule_.omit_invalid);
      return std::nullopt;
    }
    owned_ = std::move(*value);
    return Picked{owned_, &path, indices};
  }

  void complain(std::string code, const std::string& text, std::uint16_t hl7_code, const SourcePath& path,
                const Bound& indices, bool omitted) {
    auto& list = omitted ? warnings_ : faults_;
    failed_ = failed_ || !omitted;
    if (list.size() >= kFaultsMax) return;
    std::string place = source_.place(path, indices);
    std::string whole = place + ": " + text;
    list.push_back({std::move(code), std::move(place), std::move(whole), hl7_code});
  }

  const Pack& pack_;
  const ValueRule& rule_;
  FieldKind kind_;
  const Source& source_;
  std::vector<MappingFault>& faults_;
  std::vector<MappingFault>& warnings_;
  std::string scratch_, composed_, owned_;  // kept from value to value for their memory
  bool null_ = false;
  bool fitted_ = false;  // the one element that `first_fit` allows has been looked at
  bool failed_ = false;
};

/// Maps one message.
class Mapper {
 public:
  Mapper(const Pack& pack, const MessageRule& message, const Source& source, EventBuilder& builder,
         std::vector<MappedValue>* values)
      : pack_(pack), source_(source), builder_(builder), values_(values), done_(message.targets, false) {}

  Mapping map(const MessageRule& message) {
    for (const FieldRule& rule : message.fields) {
      if (given_up()) break;
      if (!done_[rule.target]) done_[rule.target] = apply(rule);
    }
    return std::move(mapping_);
  }

 private:
  /// The message is refused already, and more of it would only cost time.
  bool given_up() const {
    return mapping_.faults.size() >= kFaultsMax || bindings_ > kBindingsMax || builder_.overfull();
  }

  /// True when the rule set something, or found something wrong: no later rule need try.
  bool apply(const FieldRule& rule) {
    Evaluation evaluation(pack_, rule, rule.to.kind(), source_, mapping_.faults, mapping_.warnings);
    bool set = false;
    if (rule.to.open_lists() == 0) {
      set = fill(rule, evaluation, {}, {});
    } else {
      Bound indices;
      Bound target;
      each_binding(rule, indices, target, evaluation, set);
    }
    if (set || evaluation.failed()) return true;
    if (rule.required && holds(rule.when, source_, {})) missing(rule);
    return false;
  }

  void each_binding(const FieldRule& rule, Bound& indices, Bound& target, Evaluation& evaluation, bool& set) {
    if (target.size() == rule.to.open_lists()) {
      if (++bindings_ > kBindingsMax) return too_long(rule);
      set = fill(rule, evaluation, indices, target) || set;
      return;
    }
    std::size_t count = 0;
    const auto widen = [&](const SourcePath& path) {
      if (path.open_lists > indices.size()) count = std::max(count, source_.count(path, indices));
    };
    if (rule.each) {
      widen(*rule.each);
    } else {
      for (const SourcePath& path : rule.from) widen(path);
      for (const SourcePath& path : rule.compose) widen(path);
    }
    std::uint32_t first = 0;
    for (const SourcePath& list : rule.after) {
      if (list.open_lists == indices.size() + 1)
        first += static_cast<std::uint32_t>(source_.count(list, indices));
    }
    for (std::uint32_t i = 0; i < count && !given_up(); ++i) {
      indices.push_back(i);
      target.push_back(first + i);
      each_binding(rule, indices, target, evaluation, set);
      indices.pop_back();
      target.pop_back();
    }
  }

  bool fill(const FieldRule& rule, Evaluation& evaluation, const Bound& indices, const Bound& target) {
    auto picked = evaluation.value(indices);
    if (!picked) return false;
    if (auto good = builder_.set(rule.to, target, picked->text); !good) {
      const std::string place =
          picked->source == nullptr ? std::string{} : source_.place(*picked->source, picked->indices);
      // What can be left out cannot be when the whole is too large.
      auto& list = rule.omit_invalid && !builder_.overfull() ? mapping_.warnings : mapping_.faults;
      if (list.size() >= kFaultsMax) return false;
      list.push_back(
          {"bad_value", place, (place.empty() ? rule.place : place) + ": " + good.error().text, 102});
      return false;
    }
    Origin origin{.rule = &rule, .source = picked->source};
    std::copy_n(target.begin(), std::min(target.size(), kOpenListsMax), origin.target_indices.begin());
    origin.source_depth = static_cast<std::uint8_t>(std::min(picked->indices.size(), kOpenListsMax));
    std::copy_n(picked->indices.begin(), origin.source_depth, origin.source_indices.begin());
    mapping_.origins.push_back(origin);
    if (values_ != nullptr) {
      values_->push_back(
          {(target.empty() ? rule.to : rule.to.at(target)).text(), std::string(picked->text),
           picked->source == nullptr ? "constant" : source_.place(*picked->source, picked->indices)});
    }
    return true;
  }

  void too_long(const FieldRule& rule) {
    mapping_.faults.push_back({"bad_value", rule.place,
                               rule.place + ": the message repeats its lists more than " +
                                   std::to_string(kBindingsMax) + " times; split it",
                               102});
  }

  void missing(const FieldRule& rule) {
    const SourcePath* source = !rule.from.empty() ? rule.from.data() : rule.compose.data();
    if (rule.constant) return;
    const std::string place = source_.place(*source, {});
    mapping_.faults.push_back({"missing_field", place, place + ": it is required and missing; send it", 101});
  }

  const Pack& pack_;
  const Source& source_;
  EventBuilder& builder_;
  std::vector<MappedValue>* values_;
  std::vector<bool> done_;
  std::size_t bindings_ = 0;
  Mapping mapping_;
};

/// A path without its indices: person.names[0].family and person.names[].family alike.
std::string without_indices(std::string_view path) {
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == '[') inside = true;
    if (!inside) out.push_back(c);
    if (c == ']') inside = false;
  }
  return out;
}

}  // namespace

bool holds(const std::vector<Condition>& conditions, const Source& source, Indices indices) {
  return std::all_of(conditions.begin(), conditions.end(),
                     [&](const Condition& condition) { return condition_holds(condition, source, indices); });
}

const MessageRule* choose_message(const Pack& pack, const Source& source) {
  for (const MessageRule& message : pack.messages) {
    if (holds(message.when, source, {})) return &message;
  }
  return nullptr;
}

Mapping map_message(const Pack& pack, const MessageRule& rule, const Source& source, EventBuilder& builder,
                    std::vector<MappedValue>* values) {
  return Mapper(pack, rule, source, builder, values).map(rule);
}

std::string source_place(const Mapping& mapping, const Source& source, std::string_view target) {
  const auto place = [&](const Origin& origin) {
    if (origin.source == nullptr) return std::string{};
    return source.place(*origin.source, Indices(origin.source_indices.data(), origin.source_depth));
  };
  const std::string plain = without_indices(target);
  const Origin* nearest = nullptr;
  for (const Origin& origin : mapping.origins) {
    const std::string filled =
        origin.rule->to.open_lists() == 0
            ? origin.rule->to.text()
            : origin.rule->to.at(Indices(origin.target_indices.data(), origin.rule->to.open_lists())).text();
    if (filled == target) return place(origin);
    const std::string own = without_indices(filled);
    if (nearest == nullptr && (own == plain || own.starts_with(plain + "."))) nearest = &origin;
  }
  return nearest == nullptr ? std::string{} : place(*nearest);
}

std::optional<std::string> output_value(const Pack& pack, const OutputRule& rule, const Source& source,
                                        Indices indices, std::vector<MappingFault>& faults) {
  std::vector<MappingFault> warnings;
  // A view's dates are canonical; a format in an output rule is for writing, so reading must not use it.
  Evaluation evaluation(pack, rule, FieldKind::text, source, faults, warnings);
  auto picked = evaluation.value(Bound(indices));
  if (!picked) return std::nullopt;
  return std::string(picked->text);
}

}  // namespace carehub::adapters
