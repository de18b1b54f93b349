#include "broker/app/show_event.hpp"

#include <algorithm>
#include <ostream>

#include "broker/app/table.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::app {

void print_fields(std::ostream& out, BytesView view) {
  const event::Event* event = view.empty() ? nullptr : verified_event(view);
  if (event == nullptr) return;
  std::size_t widest = 0;
  visit_fields(*event, [&widest](const std::string& path, std::string_view) {
    widest = std::max(widest, path.size());
  });
  visit_fields(*event, [&](const std::string& path, std::string_view value) {
    out << "    " << path << std::string(widest - path.size() + 2, ' ') << printable(value) << '\n';
  });
}

void add_event(JsonLine& line, BytesView view) {
  const event::Event* event = view.empty() ? nullptr : verified_event(view);
  if (event != nullptr) line.add_json("event", event_to_json(*event));
}

std::string marks_text(const std::vector<ledger::Mark>& marks) {
  std::string text;
  for (const auto mark : marks) text += (text.empty() ? "" : ", ") + std::string(ledger::EnumNameMark(mark));
  return text;
}

std::string remarks(const wire::DeliveryT& delivery) {
  std::string text = marks_text(delivery.marks);
  const auto add = [&text](bool there, const char* word) {
    if (there) text += (text.empty() ? "" : ", ") + std::string(word);
  };
  add(delivery.late, "late");
  add(delivery.after_gap, "after a gap");
  add(delivery.replay, "replay");
  add(delivery.attempt > 1, "sent before");
  return text;
}

std::string pseudonym(const ledger::Key* key) {
  if (key == nullptr) return {};
  return to_hex({key->bytes()->data(), key->bytes()->size()});
}

std::string delivery_json(const std::string& subscription, const wire::DeliveryT& delivery) {
  JsonLine line;
  line.add("sequence", delivery.sequence);
  if (!subscription.empty()) line.add("subscription", subscription);
  line.add("appended_at", to_rfc3339(Timestamp{delivery.appended_at}));
  line.add("type", event_type_name(delivery.type));
  line.add("person", pseudonym(delivery.person.get()));
  line.add("attempt", std::uint64_t{delivery.attempt});
  line.add("legal_basis", delivery.legal_basis);
  if (delivery.late) line.add_flag("late", true);
  if (delivery.after_gap) line.add_flag("after_gap", true);
  if (delivery.replay) line.add_flag("replay", true);
  if (!delivery.marks.empty()) {
    JsonList marks;
    for (const auto mark : delivery.marks) marks.add(ledger::EnumNameMark(mark));
    line.add_json("marks", marks.text());
  }
  add_event(line, delivery.view);
  return line.text();
}

void print_delivery(std::ostream& out, const wire::DeliveryT& delivery) {
  out << to_rfc3339(Timestamp{delivery.appended_at}) << "  #" << delivery.sequence << "  "
      << event_type_name(delivery.type);
  if (const std::string special = remarks(delivery); !special.empty()) out << "  (" << special << ")";
  out << '\n';
  print_fields(out, delivery.view);
}

}  // namespace carehub::app
