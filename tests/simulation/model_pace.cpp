#include <tuple>

#include "tests/simulation/bounds.hpp"
#include "tests/simulation/model.hpp"

// How fast deliveries leave, who goes first, and what a receiver asks to wait.

namespace carehub::simulation {
namespace {

/// The hub's clock gains at most so much on what passes, while the one on the wall is ahead of it.
constexpr double kCatchingUp = 1.5;

std::uint32_t lower_of(std::uint32_t one, std::uint32_t other) {
  if (one == 0 || other == 0) return one + other;
  return std::min(one, other);
}

std::string named(const Interest& interest, Sequence sequence) {
  return std::string(interest.name) + ", event " + std::to_string(sequence);
}

}  // namespace

double Model::speed() const { return wall_clock_set_ ? kCatchingUp : 1; }

void Model::wall_clock_set() { wall_clock_set_ = true; }

/// For certain; the hub's own clock may be behind.
bool Model::too_early(const Asked& asked) const {
  const double passed = speed() * static_cast<double>(clock_.steady_us() - asked.at_us);
  return passed < static_cast<double>(asked.wait_us);
}

/// Of the subscription that a connection holds.
std::uint32_t Model::rate_of(std::size_t interest, const Attachment& attachment) const {
  return lower_of(setup_.rates[interest], attachment.rate_per_minute);
}

/// A replay has a rate of its own, and goes on that of the subscription that it goes into as well.
bool Model::is_in_pace(const Interest& interest, const Connection& connection) {
  const auto leaves = [&](Book& book, std::uint32_t rate) {
    return book.pace.leaves(rate, decided_us_, clock_.steady_us(), speed());
  };
  const Attachment& live = connection.attachments.at(interests()[interest.number].name);
  bool in_pace = leaves(books_[interest.number], rate_of(interest.number, live));
  if (interest.replay) {
    ReplayInto& replay = replays_into_.at(interest.name);
    in_pace = leaves(replay.book, replay.rate_per_minute) && in_pace;
  }
  return in_pace;
}

void Model::check_pace(const Interest& interest, const Connection& connection, const Line& line,
                       Sequence sequence) {
  const Book& book = book_for(interest);
  const std::string what = named(interest, sequence);
  if (!is_in_pace(interest, connection)) broken("no more leaves a minute than the receiver's rate", what);
  if (too_early(book.asked)) broken("nothing leaves to a receiver before the time that it asked for", what);
  if (too_early(line.not_before))
    broken("what failed is not sent again before the time that its receiver asked for", what);
}

/// Of children whose next event has not been sent yet and was offered on this connection; others may have to
/// wait for what is not seen from here.
void Model::check_precedence(const Interest& interest, const Attachment& attachment, const Line& line,
                             Sequence sequence) {
  const Book& book = book_for(interest);
  // What is on disk alone is not among those that are ready.
  if (open(interest) >= window_max() / 2) return;
  for (const auto& [child, sequences] : book.open) {
    if (child == line.child || sequences.empty()) continue;
    const bool ready = std::all_of(sequences.begin(), sequences.end(), [&](Sequence each) {
      const Line& waiting = book.lines.at(each);
      return waiting.attempt == 1 && waiting.sent_attempt == 0 && waiting.offered_at > attachment.since;
    });
    if (!ready) continue;
    const Sequence head = *sequences.begin();
    const auto turn = std::make_tuple(book.lines.at(head).publication->rank, head);
    if (turn < std::make_tuple(line.publication->rank, sequence))
      return broken("among children that are ready the urgent go first, then the oldest",
                    named(interest, sequence) + " before event " + std::to_string(head));
  }
}

/// The hub has taken a no, and what its receiver said with it of when it wants to be tried again.
void Model::answer_taken(Book& book, Line& line, const Answer& answer) {
  if (answer.no == ledger::NakKind::failed) line.not_before = answer.asks;
  const bool later = answer.asks.at_us + answer.asks.wait_us > book.asked.at_us + book.asked.wait_us;
  if (answer.no == ledger::NakKind::unavailable && later) book.asked = answer.asks;
}

}  // namespace carehub::simulation
