#include "tests/simulation/model.hpp"

namespace carehub::simulation {
namespace {

constexpr std::uint32_t kSuspectedFrom = 2;
/// Losses in a row that are not counted although others are taken: the breaker may have been open for some.
constexpr std::uint32_t kUncountedMax = 4;

}  // namespace

/// A session has ended without the client's word, or another connection has taken it over.
void Model::session_lost(const Connection& connection, const std::string& name, bool taken_over) {
  const Interest* interest = interest_of(name);
  const auto place = connection.attachments.find(name);
  if (interest == nullptr || place == connection.attachments.end() || !place->second.subscribed) return;
  const Attachment& attachment = place->second;
  std::size_t in_flight = 0;
  for (const auto& [each, other] : connection.attachments) in_flight += other.in_flight.size();
  const bool alone = in_flight == 1 && !(interest->replay && taken_over);
  Book& book = book_for(*interest);
  for (const auto& [sequence, attempt] : attachment.in_flight) {
    const auto found = book.lines.find(sequence);
    if (found == book.lines.end() || found->second.settled) continue;
    Line& line = found->second;
    const bool others_taken = book.acks > line.acks_at_loss;
    line.acks_at_loss = book.acks;
    if (++line.losses <= kSuspectedFrom || !others_taken || !alone) continue;
    if (++line.uncounted > kUncountedMax)
      broken("what makes its receiver fall over is counted while others are taken",
             std::string(interest->name) + ", event " + std::to_string(sequence) + ", lost " +
                 std::to_string(line.losses) + " times in a row");
  }
}

/// It counts as failed that a connection was lost with this alone in flight.
void Model::blamed(const Book& book, Line& line, const std::string& what) {
  ++line.blames;
  line.uncounted = 0;
  // Those that began since it was offered, and the one that went on then.
  if (book.sessions.size() - line.sessions_before + 1 < kSuspectedFrom + line.blames)
    broken("an event is blamed for connections that were lost", what);
  if (book.acks == line.acks_at_blame) broken("an outage blames no event", what);
  line.acks_at_blame = book.acks;
}

/// It counts as failed that the receiver became unavailable with this alone in flight.
void Model::felled(const Book& book, Line& line, const std::string& what) {
  ++line.blames;
  if (++line.unavailable <= kSuspectedFrom)
    broken("an event is blamed for a receiver that became unavailable", what);
  if (book.acks == line.acks_at_blame) broken("an outage blames no event", what);
  line.acks_at_blame = book.acks;
}

}  // namespace carehub::simulation
