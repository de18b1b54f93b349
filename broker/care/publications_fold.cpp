#include "broker/care/publications_fold.hpp"

#include <algorithm>
#include <cstring>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"

namespace carehub::care {

namespace {

struct PublicationRow {
  Fingerprint fingerprint{};
  Sequence sequence = 0;
  Timestamp appended_at;
};

std::string encode(const Fingerprint& fingerprint, const FoldEntry& entry) {
  return RowWriter().text(text_of(fingerprint)).number(entry.sequence).time(entry.appended_at.us).take();
}

Result<std::optional<PublicationRow>> publication_row(const RowReads& rows, const std::string& key) {
  auto row = rows.get(key);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<PublicationRow>();
  RowReader reader(**row);
  PublicationRow publication;
  const auto fingerprint = reader.text();
  if (fingerprint.size() == publication.fingerprint.size())
    std::memcpy(publication.fingerprint.data(), fingerprint.data(), fingerprint.size());
  publication.sequence = reader.number<Sequence>();
  publication.appended_at = {reader.time()};
  if (!reader.ok()) {
    return fail(ErrorKind::corrupt, "a publication's row is cut short: run carehub rebuild");
  }
  return std::optional(publication);
}

bool reuses_its_identity(const ledger::EventEntry& event) {
  const auto* marks = event.marks();
  return marks != nullptr && std::any_of(marks->begin(), marks->end(), [](auto mark) {
           return static_cast<ledger::Mark>(mark) == ledger::Mark::id_reused;
         });
}

}  // namespace

/// A message is found by its identity; only what came under a used one needs a row by its content.
void fold_publications(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows) {
  if (event.fingerprint() == nullptr || event.identity() == nullptr) return;
  const auto fingerprint = fingerprint_from(*event.fingerprint());
  auto key = reuses_its_identity(event) ? row_keys::fingerprint(fingerprint)
                                        : row_keys::identity(key_from<KeyedHash>(*event.identity()));
  rows.put(std::move(key), encode(fingerprint, entry));
}

void fold_refused(const FoldEntry& entry, const ledger::Refusal& refusal, Rows& rows) {
  if (refusal.fingerprint() == nullptr) return;
  const auto fingerprint = fingerprint_from(*refusal.fingerprint());
  rows.put(row_keys::fingerprint(fingerprint), encode(fingerprint, entry));
  if (refusal.kept()) rows.put(row_keys::refused_under(entry.key_id), std::string(text_of(fingerprint)));
}

Result<void> remove_publication(Sequence sequence, const ledger::EventEntry& event, Rows& rows) {
  if (event.fingerprint() == nullptr || event.identity() == nullptr) return {};
  auto key = reuses_its_identity(event) ? row_keys::fingerprint(fingerprint_from(*event.fingerprint()))
                                        : row_keys::identity(key_from<KeyedHash>(*event.identity()));
  const auto row = publication_row(rows, key);
  if (!row) return tl::unexpected(row.error());
  if (*row && (*row)->sequence == sequence) rows.remove(key);
  return {};
}

Result<void> remove_refused(const KeyId& key, Rows& rows) {
  const auto name = row_keys::refused_under(key);
  const auto row = rows.get(name);
  if (!row) return tl::unexpected(row.error());
  Fingerprint fingerprint{};
  if (!*row || (*row)->size() != fingerprint.size()) return {};
  std::memcpy(fingerprint.data(), (*row)->data(), fingerprint.size());
  rows.remove(row_keys::fingerprint(fingerprint));
  rows.remove(name);
  return {};
}

Result<core::KnownPublication> known_publication(const RowReads& rows, const Fingerprint& fingerprint,
                                                 const KeyedHash& identity) {
  core::KnownPublication known;
  auto same = publication_row(rows, row_keys::identity(identity));
  if (!same) return tl::unexpected(same.error());
  known.identity_seen = same->has_value();
  const bool without_identity = identity == KeyedHash{};
  if (!known.identity_seen && !without_identity) return known;
  if (without_identity || (*same)->fingerprint != fingerprint) {
    same = publication_row(rows, row_keys::fingerprint(fingerprint));
    if (!same) return tl::unexpected(same.error());
  }
  if (*same) {
    known.same = (*same)->sequence;
    known.appended_at = (*same)->appended_at;
  }
  return known;
}

}  // namespace carehub::care
