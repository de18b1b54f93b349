#include "tests/simulation/model.hpp"

// Events that stand in for a dead letter of one subscription, and are nobody else's.

namespace carehub::simulation {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

}  // namespace

Publication& Model::add_mend(Publication publication, const Interest& interest, Sequence dead) {
  publication.only_for = interest.number;
  publication.mends = dead;
  return add(std::move(publication));
}

const Publication* Model::publication_at(Sequence sequence) const {
  const auto kept = kept_.find(sequence);
  return kept == kept_.end() ? nullptr : kept->second.publication;
}

/// It is for the one subscription whose dead letter it mends, or comes to it in its turn.
void Model::read_mended(Sequence sequence, const Publication& publication, const ledger::EventEntry& entry) {
  const Interest& interest = interests()[*publication.only_for];
  const std::string what = std::string(interest.name) + ", event " + std::to_string(sequence) +
                           " mends event " + std::to_string(publication.mends);
  Book& book = books_[interest.number];
  const auto dead = book.lines.find(publication.mends);
  if (entry.mends() != publication.mends || text_of(entry.mended_for()) != interest.name)
    return broken("a mended event says what it stands in for, and for whom", what);
  if (!exists(interest) || dead == book.lines.end() || !dead->second.dead || dead->second.discarded)
    return broken("only a dead letter is mended, and once", what);
  if (due(interest, sequence, 0) != Due::offered)
    return broken("what is mended is what its subscription wants and may see", what);
  mends_begun_.insert(sequence);
  if (book.next != 0 && book.through == 0) return;
  book.owed.insert(sequence);
  Line& line = book.lines[sequence];
  line.child = publication.child;
  line.publication = &publication;
  book.open[publication.child].insert(sequence);
}

/// The last of a mend: from here on its dead letter is settled.
void Model::mended(const ledger::OperatorAction& entry, Line& dead) {
  const Sequence stands_in = std::strtoull(text_of(entry.detail()).c_str(), nullptr, 10);
  const Publication* publication = publication_at(stands_in);
  if (publication == nullptr || publication->mends != entry.sequence() || mends_begun_.erase(stands_in) == 0)
    return broken("a mend names the event that stands in", std::to_string(stands_in));
  dead.discarded = true;
}

/// It stands behind what its child had pending when it was offered.
void Model::check_mended_turn(const Book& book, const Line& line, Sequence sequence) {
  if (!line.publication->only_for) return;
  for (const Sequence earlier : book.open.at(line.child)) {
    if (earlier >= sequence) return;
    if (book.lines.at(earlier).offered_at < line.offered_at)
      broken("what was mended waits behind what its child has pending",
             "event " + std::to_string(sequence) + " while " + std::to_string(earlier) + " is open");
  }
}

}  // namespace carehub::simulation
