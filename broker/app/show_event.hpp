#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "broker/app/json_line.hpp"
#include "broker/base/bytes.hpp"
#include "broker/base/ids.hpp"
#include "schemas/wire_generated.h"

/// Deliveries and rows as people and as programs read them.
namespace carehub::app {

/// The fields of a view, each on a line of its own, indented; nothing when the bytes are not an event.
void print_fields(std::ostream& out, BytesView view);

/// Adds "event": {...} when there is a view.
void add_event(JsonLine& line, BytesView view);

/// "late, replay, id_reused": what is unusual about it; empty mostly.
std::string remarks(const wire::DeliveryT& delivery);
std::string marks_text(const std::vector<ledger::Mark>& marks);

/// The pseudonym in hexadecimal; empty when there is none.
std::string pseudonym(const ledger::Key* key);

std::string delivery_json(const std::string& subscription, const wire::DeliveryT& delivery);
void print_delivery(std::ostream& out, const wire::DeliveryT& delivery);

}  // namespace carehub::app
