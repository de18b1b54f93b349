#include <algorithm>

#include "tests/simulation/model.hpp"

namespace carehub::simulation {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

std::string named(const Interest& interest, Sequence sequence) {
  return std::string(interest.name) + ", event " + std::to_string(sequence);
}

const wire::Frame* read_frame(BytesView bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), 64, 100'000);
  return wire::VerifyFrameBuffer(verifier) ? wire::GetFrame(bytes.data()) : nullptr;
}

constexpr std::size_t kInFlightMax = 4096;

}  // namespace

Publication& Model::add(Publication publication) {
  publication.number = publications_.size();
  by_bytes_.emplace(std::string(publication.event.begin(), publication.event.end()), publication.number);
  publications_.push_back(std::move(publication));
  return publications_.back();
}

Sequence Model::entry_of(std::size_t publication) const {
  const auto found = entry_of_.find(publication);
  return found == entry_of_.end() ? 0 : found->second;
}

void Model::hub_took(Serial serial, const std::string& agency, BytesView bytes) {
  ++taken_since_start_;
  const wire::Frame* frame = read_frame(bytes);
  if (frame == nullptr) return;
  ++frames_taken_;
  Connection& connection = connections_[serial];
  connection.serial = serial;
  if (const auto* publish = frame->message_as_Publish()) took_publish(connection, *publish);
  if (const auto* subscribe = frame->message_as_Subscribe()) took_subscribe(connection, agency, *subscribe);
  if (const auto* credit = frame->message_as_Credit()) took_credit(connection, *credit);
  if (const auto* ack = frame->message_as_Ack()) took_ack(connection, agency, *ack);
  if (const auto* nak = frame->message_as_Nak()) took_nak(connection, agency, *nak);
  if (const auto* leave = frame->message_as_Unsubscribe()) took_unsubscribe(connection, *leave);
  if (frame->message_as_Goodbye() != nullptr) connection.said_goodbye = true;
  if (const auto* erase = frame->message_as_Erase()) took_erase(connection, agency, *erase);
  if (const auto* replay = frame->message_as_Replay()) {
    const bool into = replay->into() != nullptr && replay->into()->size() > 0;
    into ? took_replay_into(*replay) : took_replay(connection, agency, *replay);
  }
  if (const auto* handle = frame->message_as_HandleSubscription())
    asks_[text_of(handle->reason())] = {handle->position(), handle->sequence(), handle->at()};
}

void Model::took_publish(Connection& connection, const wire::Publish& frame) {
  if (frame.items() == nullptr) return;
  for (const auto* item : *frame.items()) {
    if (item->event() == nullptr) continue;
    const auto found = by_bytes_.find(std::string(item->event()->begin(), item->event()->end()));
    if (found == by_bytes_.end()) continue;
    PushedBack& pushed = connection.pushed_back;
    // Said twice without being told: its first outcome is all that its sender waits for.
    if (connection.published.contains(item->number()) && !pushed.numbers.contains(item->number()))
      pushed.unknown = true;
    connection.published[item->number()] = found->second;
    first_taken_.emplace(found->second, frames_taken_);
  }
}

void Model::hub_sent(Serial serial, const std::string& agency, BytesView bytes, bool late) {
  read_ledger();
  const wire::Frame* frame = read_frame(bytes);
  if (frame == nullptr) return broken("every frame of the hub's verifies", "one does not");
  ++frames_taken_;
  Connection& connection = connections_[serial];
  connection.serial = serial;
  if (const auto* published = frame->message_as_Published()) sent_published(connection, *published, late);
  if (const auto* deliver = frame->message_as_Deliver()) {
    const auto watch = watches_.find(watch_name(text_of(deliver->subscription()), serial));
    if (watch != watches_.end()) {
      sent_to_watch(watch->second, connection.attachments[text_of(deliver->subscription())], *deliver, late);
    } else {
      sent_deliver(connection, agency, *deliver, late);
    }
  }
  if (const auto* replayed = frame->message_as_Replayed()) sent_replayed(connection, *replayed, late);
  if (const auto* erased = frame->message_as_Erased()) sent_erased(connection, agency, *erased);
  if (const auto* handled = frame->message_as_Handled()) sent_handled(agency, *handled);
  if (frame->message_as_Welcome() != nullptr) connection.welcomed = true;
  if (const auto* subscribed = frame->message_as_Subscribed()) sent_subscribed(connection, *subscribed);
  if (const auto* rejected = frame->message_as_Rejected()) sent_rejected(connection, *rejected);
}

void Model::hub_forgot(Serial serial) {
  Connection& connection = connections_[serial];
  for (const auto& [name, attachment] : connection.attachments) {
    if (!connection.said_goodbye) session_lost(connection, name, false);
  }
  erasures_adrift_ = erasures_adrift_ || connection.erasures > 0;
  connections_.erase(serial);
  watches_end(serial, "");
}

void Model::hub_crashed() {
  read_ledger();
  const auto begin_anew = [](Book& book) {
    for (auto& [sequence, line] : book.lines) {
      line.losses = line.uncounted = 0;
      line.not_before = {};
    }
    book.asked = {};
    book.answers.clear();
  };
  for (Book& book : books_) begin_anew(book);
  for (auto& [name, replay] : replays_into_) begin_anew(replay.book);
  nothing_held_back();
  connections_.clear();
  watches_.clear();
  unexplained_.clear();
  idle_.clear();
  idle_counted_ = taken_since_start_ = 0;
  erasures_adrift_ = false;
}

void Model::hub_stepped() { check_answers(); }

void Model::sent_published(Connection& connection, const wire::Published& frame, bool late) {
  if (frame.outcomes() == nullptr) return;
  for (const auto* outcome : *frame.outcomes()) {
    const auto found = connection.published.find(outcome->number());
    if (found == connection.published.end()) continue;  // no event came with it
    sent_outcome(publications_[found->second], *outcome);
    check_order(connection, *outcome, late);
  }
}

void Model::sent_outcome(const Publication& publication, const wire::PublishOutcome& outcome) {
  const Sequence sequence = outcome.sequence();
  const std::string what =
      "publication " + std::to_string(publication.number) + ", entry " + std::to_string(sequence);
  verdict_.tell("hub -> " + std::string(wire::EnumNameOutcome(outcome.outcome())) + " for " + what);
  switch (outcome.outcome()) {
    case wire::Outcome::receipt:
    case wire::Outcome::duplicate: {
      const auto kept = kept_.find(sequence);
      if (kept == kept_.end() || kept->second.publication != &publication)
        return broken("a receipt is of an entry that is synced", what);
      if (kept->second.appended_at != outcome.appended_at())
        broken("a receipt tells when its entry was appended", what);
      if (publication.fate != Fate::kept) broken("what is wrong has no receipt", what);
      const auto said = receipts_.emplace(publication.number, sequence).first;
      if (kept_.at(said->second).erased != 0) said->second = sequence;
      if (said->second != sequence && kept->second.erased == 0)
        broken("the same message gets the old receipt", what + ", before " + std::to_string(said->second));
      return;
    }
    case wire::Outcome::refused: {
      if (sequence != 0 && !refusals_.contains(sequence))
        return broken("a refusal is of an entry that is synced", what);
      if (publication.fate == Fate::refused) return;
      // Its identity may have come with other content.
      const bool rival = std::any_of(kept_.begin(), kept_.end(), [&](const auto& kept) {
        return kept.second.publication->id == publication.id &&
               kept.second.publication->publisher == publication.publisher;
      });
      if (publication.fate != Fate::kept || !rival || publication.on_reuse != wire::OnReuse::conflict)
        broken("what is right is not refused", what + ": " + text_of(outcome.code()));
      return;
    }
    case wire::Outcome::not_kept:
      if (publication.fate != Fate::not_kept) broken("only what is out of scope is not kept", what);
      return;
    default: return;
  }
}

void Model::sent_deliver(Connection& connection, const std::string& agency, const wire::Deliver& frame,
                         bool late) {
  const Interest* interest = interest_of(text_of(frame.subscription()));
  if (interest == nullptr || agency != interest->reader.agency)
    return broken("nobody gets another's subscription", agency + " got " + text_of(frame.subscription()));
  if (text_of(frame.replay_of()) != (interest->replay ? interests()[interest->number].name : ""))
    return broken("only a replay is marked as one", interest->name);
  Attachment& attachment = connection.attachments[interest->name];
  if (!attachment.subscribed)
    return broken("a Deliver goes to whoever subscribed", std::string(interest->name));
  if (frame.deliveries() == nullptr) return;
  for (const auto* delivery : *frame.deliveries()) sent_delivery(*interest, connection, *delivery, late);
}

void Model::sent_delivery(const Interest& interest, Connection& connection, const wire::Delivery& delivery,
                          bool late) {
  Attachment& attachment = connection.attachments[interest.name];
  const Sequence sequence = delivery.sequence();
  const std::string what = named(interest, sequence) + ", attempt " + std::to_string(delivery.attempt());
  verdict_.tell("hub -> " + what + (delivery.late() ? " (late)" : "") +
                (delivery.after_gap() ? " (after a gap)" : ""));
  if (is_erased(sequence, what)) return;
  Book& book = book_for(interest);
  const auto found = book.lines.find(sequence);
  if (found == book.lines.end() || found->second.attempt == 0)
    return broken("Offered is in the synced ledger before its Deliver leaves", what);
  Line& line = found->second;
  // A frame that waited for its reader was right when it was decided.
  if (!late) check_turn(interest, line, delivery);
  const auto flying = attachment.in_flight.find(sequence);
  if (!late && flying != attachment.in_flight.end() && flying->second >= delivery.attempt())
    return broken("what is in flight is not sent again as the same attempt", what);
  attachment.in_flight[sequence] = delivery.attempt();
  shown_on(connection, interest, delivery);
  if (++attachment.sent > attachment.credit || attachment.in_flight.size() > kInFlightMax)
    broken("credit bounds what is in flight", what + ", credit " + std::to_string(attachment.credit));
  if (!late) {
    check_pace(interest, connection, line, sequence);
    check_precedence(interest, attachment, line, sequence);
  }
  line.not_before = {};
  if (line.sent_attempt == 0) line.outages_before = book.outages;
  line.sent_attempt = std::max(line.sent_attempt, delivery.attempt());
  check_view(what, interest.reader, policy_of(line.policy), *line.publication, delivery);
}

void Model::check_turn(const Interest& interest, const Line& line, const wire::Delivery& delivery) {
  const Sequence sequence = delivery.sequence();
  const std::string what = named(interest, sequence) + ", attempt " + std::to_string(delivery.attempt());
  const Book& book = book_for(interest);
  if (book.paused) return broken("a paused subscription sends nothing", what);
  if (book.skip_before != 0) return broken("nothing is sent while it skips", what);
  if (!is_replays_turn(interest, delivery)) return;
  if (delivery.attempt() != line.attempt || line.nacked)
    return broken("attempts survive, and each is Offered before it leaves",
                  what + ", but the ledger offers attempt " + std::to_string(line.attempt) +
                      (line.nacked ? ", which was answered no" : ""));
  if (line.settled) return broken("what is acked or given up does not leave again", what);
  if (delivery.late() != line.late)
    return broken("what an operator sends again is marked late, and nothing else", what);
  if (line.late) return check_mended_turn(book, line, sequence);
  for (const Sequence earlier : book.open.at(line.child)) {
    if (earlier >= sequence) break;
    if (!book.lines.at(earlier).late)
      return broken("a child's next event goes only after the one before is acked or given up",
                    what + " while " + std::to_string(earlier) + " is open");
  }
  if (delivery.after_gap() != line.after_gap)
    broken("the event after a dead letter is marked, and no other", what);
}

void Model::check_view(const std::string& what, const Reader& reader, int policy,
                       const Publication& publication, const wire::Delivery& delivery) {
  const auto* bytes = delivery.view();
  if (bytes == nullptr) return broken("a delivery shows its event", what);
  const Bytes aligned(bytes->begin(), bytes->end());
  flatbuffers::Verifier verifier(aligned.data(), aligned.size(), 64, 100'000);
  if (!event::VerifyEventBuffer(verifier)) return broken("a delivery shows its event", what);
  const auto* view = event::GetEvent(aligned.data());
  if (view->id()->str() != publication.id || view->type() != publication.type)
    return broken("a delivery shows its event", what);
  if (const char* leaked = leak_to(reader, *view, policy))
    broken("nobody sees what the role may not", what + " shows " + leaked);
}

void Model::sent_handled(const std::string& agency, const wire::Handled& frame) {
  if (frame.error() != wire::ErrorKind::unknown) return;
  const std::string what = "entry " + std::to_string(frame.sequence());
  if (!agency.empty())
    return broken("only an operator changes subscriptions and handles dead letters", agency);
  if (!operators_entries_.contains(frame.sequence()))
    broken("an operator is told that it is done once that is synced", what);
}

}  // namespace carehub::simulation
