#include <algorithm>

#include "tests/simulation/model.hpp"

// What readers say of what they were shown. It counts on the connection that it was shown on, for as long as
// that has the subscription, and nowhere else: what a reader remembers of connections before, what it says
// under another's name, and what it says on a connection that another has taken over have no effect, and are
// counted.

namespace carehub::simulation {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

/// Of a replay, that of the subscription that it goes into.
std::string live_name(const std::string& name) { return name.substr(0, name.find('/')); }

/// Of the subscription that a refusal is about; empty: it is of something else.
std::string refused_name(const wire::Rejected& frame) {
  const std::string text = text_of(frame.text());
  const std::string start = "subscription ";
  const auto end = text.find(": ");
  if (!text.starts_with(start) || end == std::string::npos) return "";
  return text.substr(start.size(), end - start.size());
}

}  // namespace

void Model::took_subscribe(Connection& connection, const std::string& agency, const wire::Subscribe& frame) {
  const std::string name = text_of(frame.name());
  Attachment& attachment = connection.attachments[name];
  attachment.wishes.push_back({++attachment.said, frame.credit(), frame.rate_per_minute(), !frame.durable()});
  if (!frame.durable()) took_watch(connection.serial, agency, frame);
  const Interest* interest = interest_named(name);
  if (interest == nullptr || agency != interest->reader.agency) return;
  books_[interest->number].sessions.push_back(hub_->decided());
  for (auto& [each, replay] : replays_into_) {
    if (replay.into == interest->number) replay.book.sessions.push_back(hub_->decided());
  }
}

/// What the hub says now is no longer for the connection's subscription of before.
void Model::took_unsubscribe(Connection& connection, const wire::Unsubscribe& frame) {
  const std::string label = text_of(frame.name());
  for (auto& [name, attachment] : connection.attachments) {
    if (live_name(name) == label) attachment.in_flight.clear();
  }
  const auto place = connection.attachments.find(label);
  if (place != connection.attachments.end()) ++place->second.said;
  watches_end(connection.serial, label);
}

void Model::took_credit(Connection& connection, const wire::Credit& frame) {
  const std::string name = text_of(frame.subscription());
  if (is_nobodys(connection, name)) return idle_.push_back(connection.serial);
  const auto place = connection.attachments.find(live_name(name));
  if (place == connection.attachments.end()) return;
  Attachment& live = place->second;
  if (name != place->first) {
    Attachment& replay = connection.attachments[name];
    (live.wishes.empty() ? replay.credit : replay.early) += frame.amount();
  } else {
    (live.wishes.empty() ? live.credit : live.wishes.back().credit) += frame.amount();
  }
}

/// For certain: no stream of this name is the connection's.
bool Model::is_nobodys(const Connection& connection, const std::string& name) const {
  if (!connection.welcomed || connection.said_goodbye) return false;
  const auto place = connection.attachments.find(live_name(name));
  if (place == connection.attachments.end()) return true;
  const Attachment& live = place->second;
  return live.wishes.empty() && (!live.subscribed || live.said != live.session);
}

/// For certain: nothing of this is in flight there.
bool Model::is_idle(const Connection& connection, const Interest& interest, Sequence first,
                    Sequence last) const {
  if (!connection.welcomed || connection.said_goodbye || !all_has_left_) return false;
  const auto live = connection.attachments.find(live_name(interest.name));
  if (live == connection.attachments.end() || !live->second.wishes.empty()) return false;
  const auto place = connection.attachments.find(interest.name);
  if (place == connection.attachments.end()) return true;
  const auto shown = place->second.shown.lower_bound(first);
  return shown == place->second.shown.end() || shown->first > last;
}

void Model::took_ack(Connection& connection, const std::string& agency, const wire::Ack& frame) {
  const std::string name = text_of(frame.subscription());
  if (is_nobodys(connection, name)) idle_.push_back(connection.serial);
  const Interest* interest = interest_of(name);
  if (interest == nullptr || agency != interest->reader.agency || frame.ranges() == nullptr) return;
  const auto found = connection.attachments.find(interest->name);
  for (const auto* range : *frame.ranges()) {
    Answer answer;
    answer.first = range->first();
    answer.last = range->last();
    took_answer(book_for(*interest), connection, *interest, answer);
    if (found == connection.attachments.end()) continue;
    auto& in_flight = found->second.in_flight;
    in_flight.erase(in_flight.lower_bound(range->first()), in_flight.upper_bound(range->last()));
  }
}

void Model::took_nak(Connection& connection, const std::string& agency, const wire::Nak& frame) {
  const std::string name = text_of(frame.subscription());
  if (is_nobodys(connection, name)) idle_.push_back(connection.serial);
  const Interest* interest = interest_of(name);
  if (interest == nullptr || agency != interest->reader.agency || frame.items() == nullptr) return;
  const auto found = connection.attachments.find(interest->name);
  for (const auto* item : *frame.items()) {
    Answer answer;
    answer.no = item->kind() == ledger::NakKind::unknown ? ledger::NakKind::failed : item->kind();
    answer.first = answer.last = item->sequence();
    answer.asks = {clock_.steady_us(), std::int64_t{item->retry_after_ms()} * kMillisecondUs};
    took_answer(book_for(*interest), connection, *interest, answer);
    if (found != connection.attachments.end()) found->second.in_flight.erase(item->sequence());
  }
}

void Model::took_answer(Book& book, const Connection& connection, const Interest& interest, Answer answer) {
  verdict_.tell("reader -> " + std::string(interest.name) + ", event " + std::to_string(answer.first) +
                (answer.no ? ": no" : ": ack") + " on connection " + std::to_string(connection.serial));
  if (!is_nobodys(connection, interest.name) && is_idle(connection, interest, answer.first, answer.last))
    idle_.push_back(connection.serial);
  const auto live = connection.attachments.find(live_name(interest.name));
  if (live == connection.attachments.end()) return;
  answer.serial = connection.serial;
  answer.session = live->second.said;
  answer.after = hub_->decided();
  book.answers.push_back(answer);
}

/// What left on the connections before is not answered any more. A watch takes nothing from anybody.
void Model::sent_subscribed(Connection& connection, const wire::Subscribed& frame) {
  const std::string name = text_of(frame.name());
  const auto asked = connection.attachments.find(name);
  const bool watch = asked != connection.attachments.end() && !asked->second.wishes.empty() &&
                     asked->second.wishes.front().watch;
  for (auto& [serial, other] : connections_) {
    if (serial != connection.serial && (watch || interest_named(name) == nullptr)) continue;
    for (auto& [each, attachment] : other.attachments) {
      if (live_name(each) == name) attachment.shown.clear();
    }
  }
  Attachment& attachment = connection.attachments[name];
  attachment.subscribed = true;
  attachment.since = read_through_;
  attachment.in_flight.clear();
  if (!attachment.wishes.empty()) {
    const Wish wish = attachment.wishes.front();
    attachment.wishes.pop_front();
    attachment.session = wish.session;
    attachment.credit = wish.credit;
    attachment.rate_per_minute = wish.rate_per_minute;
    attachment.sent = 0;
  }
  attach_replays(connection, name);
}

void Model::sent_rejected(Connection& connection, const wire::Rejected& frame) {
  if (frame.subscription() != nullptr) return taken_over(connection, frame.subscription()->str());
  const auto place = connection.attachments.find(refused_name(frame));
  if (place == connection.attachments.end() || place->second.wishes.empty()) return;
  // It has what it had.
  Attachment& attachment = place->second;
  attachment.session = attachment.wishes.front().session;
  attachment.credit += attachment.wishes.front().credit;
  attachment.wishes.pop_front();
  for (auto& [sequence, shown] : attachment.shown) shown.session = attachment.session;
}

void Model::shown_on(Connection& connection, const Interest& interest, const wire::Delivery& delivery) {
  const std::uint64_t session = connection.attachments.at(live_name(interest.name)).session;
  connection.attachments.at(interest.name).shown[delivery.sequence()] = {session, delivery.attempt(), false};
}

/// The hub took an answer. False: nobody has given one that could be meant.
bool Model::explain(const Interest& interest, Sequence sequence, std::optional<ledger::NakKind> no,
                    Sequence at) {
  Book& book = book_for(interest);
  Unexplained taken{&interest, sequence, book.lines.at(sequence).attempt, {}};
  for (const Answer& answer : book.answers) {
    const bool of_it = answer.no == no && answer.first <= sequence && sequence <= answer.last;
    const bool then = answer.after < at && (!answer.through || at <= *answer.through);
    if (of_it && then) taken.answers.push_back(answer);
  }
  if (taken.answers.empty()) return false;
  if (!is_explained(taken)) unexplained_.push_back(std::move(taken));
  return true;
}

/// It was shown what it answered, on that connection. Of one that is gone nobody knows.
bool Model::is_explained(const Unexplained& taken) {
  for (const Answer& answer : taken.answers) {
    const auto connection = connections_.find(answer.serial);
    if (connection == connections_.end()) return true;
    const auto place = connection->second.attachments.find(taken.interest->name);
    if (place == connection->second.attachments.end()) continue;
    const auto shown = place->second.shown.find(taken.sequence);
    if (shown == place->second.shown.end() || shown->second.session != answer.session) continue;
    if (answer.no && shown->second.overdue) continue;
    Book& book = book_for(*taken.interest);
    answer_taken(book, book.lines.at(taken.sequence), answer);
    land(*taken.interest, taken.sequence, taken.attempt);
    return true;
  }
  return false;
}

void Model::no_answer_came(const Interest& interest, Sequence sequence) {
  for (auto& [serial, connection] : connections_) {
    const auto place = connection.attachments.find(interest.name);
    if (place == connection.attachments.end()) continue;
    const auto shown = place->second.shown.find(sequence);
    if (shown != place->second.shown.end()) shown->second.overdue = true;
  }
}

/// It is answered, whatever is said of that attempt later.
void Model::land(const Interest& interest, Sequence sequence, std::uint32_t attempt) {
  for (auto& [serial, connection] : connections_) {
    const auto place = connection.attachments.find(interest.name);
    if (place == connection.attachments.end()) continue;
    Attachment& attachment = place->second;
    const auto flying = attachment.in_flight.find(sequence);
    if (flying != attachment.in_flight.end() && flying->second <= attempt) attachment.in_flight.erase(flying);
    const auto shown = attachment.shown.find(sequence);
    if (shown != attachment.shown.end() && shown->second.attempt <= attempt) attachment.shown.erase(shown);
  }
}

/// At the end of a step: what it took was an answer to what has left by now, and what can have had no effect
/// was counted.
void Model::check_answers() {
  const server::Statistics& counted = hub_->statistics();
  std::erase_if(unexplained_, [&](const Unexplained& taken) { return is_explained(taken); });
  // A reader that is behind may not have been sent yet what it answers for.
  if (!unexplained_.empty() && counted.sends_held_back == 0)
    return broken("an answer counts on the connection that it was shown on",
                  std::string(unexplained_.front().interest->name) + ", event " +
                      std::to_string(unexplained_.front().sequence));
  if (counted.frames_received != taken_since_start_) return;
  for (const Serial serial : std::exchange(idle_, {})) {
    const auto connection = connections_.find(serial);
    if (connection != connections_.end() && !connection->second.said_goodbye) ++idle_counted_;
  }
  if (counted.engine.ignored_answers < idle_counted_)
    broken("answers that have no effect are counted", std::to_string(counted.engine.ignored_answers) +
                                                          " are, of at least " +
                                                          std::to_string(idle_counted_));
  const auto close = [&](Book& book) {
    std::erase_if(book.answers,
                  [&](const Answer& each) { return each.through && *each.through <= read_through_; });
    for (Answer& answer : book.answers) {
      if (!answer.through) answer.through = hub_->decided();
    }
  };
  for (Book& book : books_) close(book);
  for (auto& [name, replay] : replays_into_) close(replay.book);
}

}  // namespace carehub::simulation
