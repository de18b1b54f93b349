#include "broker/server/falls.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "broker/care/state.hpp"
#include "broker/core/courses.hpp"
#include "broker/server/log.hpp"
#include "broker/server/own_entries.hpp"
#include "broker/storage/file.hpp"

namespace carehub::server {

namespace fs = std::filesystem;

namespace {

constexpr flatbuffers::uoffset_t kRunsNamedMax = 32;

const char* name_of(core::Step step) {
  switch (step) {
    case core::Step::fold: return "folding";
    case core::Step::offer: return "offering";
    case core::Step::deliver: return "delivering";
    case core::Step::admit: return "admitting";
    default: return "at";
  }
}

void tell_of_last(const core::WorkNote& note) {
  const auto& fall = note.last_fall();
  if (!fall) return;
  const auto& work = fall->work;
  const std::string what =
      work.step == core::Step::admit ? "a message" : "entry " + std::to_string(work.sequence);
  log_notice("hub-ended-at-work", std::string("the hub ended while it was ") + name_of(work.step) + " " +
                                      what + ", " + std::to_string(fall->times) + " of " +
                                      std::to_string(core::WorkNote::kFallsMax) +
                                      " times that it may before it goes round that");
}

/// What is lost with it is one event, one subscription's deliveries of one commit or one line of a report,
/// and it is said which; nobody sees or does more for it.
bool may_be_passed_over(storage::EntryKind kind) {
  using storage::EntryKind;
  switch (kind) {
    case EntryKind::event:
    case EntryKind::refusal:
    case EntryKind::offered:
    case EntryKind::acked:
    case EntryKind::nacked:
    case EntryKind::withheld:
    case EntryKind::dead_letter:
    case EntryKind::notice_step:
    case EntryKind::access: return true;
    default: return false;
  }
}

/// An entry that is not folded, and whose deliveries it takes with it.
struct Passed {
  Sequence sequence = 0;
  std::string subscription = {};  // of an Offered
  std::string events = {};        // that it offered: 12, 14 to 20
};

/// As many as a record has room for.
std::string events_of(const ledger::Offered& offered) {
  std::string text;
  if (offered.runs() == nullptr) return text;
  for (flatbuffers::uoffset_t at = 0; at < offered.runs()->size(); ++at) {
    const auto* range = offered.runs()->Get(at)->range();
    if (range == nullptr) continue;
    if (at == kRunsNamedMax) return text + " and more";
    text += (text.empty() ? "" : ", ") + std::to_string(range->first());
    if (range->last() > range->first()) text += " to " + std::to_string(range->last());
  }
  return text;
}

/// Where the entry does not open there is nothing to add: the number says which one it is.
Passed passed_over(const storage::SealedEntry& sealed, const storage::Sealer& sealer) {
  Passed passed{sealed.header.sequence};
  if (sealed.header.kind != storage::EntryKind::offered) return passed;
  const auto body = sealer.open(sealed);
  if (!body) return passed;
  flatbuffers::Verifier verifier(body->data(), body->size());
  if (!verifier.VerifyBuffer<ledger::Body>(nullptr)) return passed;
  const auto* offered = flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_Offered();
  if (offered == nullptr || offered->subscription() == nullptr) return passed;
  passed.subscription = offered->subscription()->str();
  passed.events = events_of(*offered);
  return passed;
}

std::string text_of(const Passed& passed) {
  if (passed.subscription.empty()) return {};
  return ": subscription " + passed.subscription + " is not sent " + passed.events;
}

Bytes record_of(const Passed& passed) {
  ledger::OperatorActionT action;
  action.action = core::kPassOverAction;
  action.by = core::kByHub;
  action.reason = core::kHubFellOverCode;
  action.sequence = passed.sequence;
  action.subscription = passed.subscription;
  action.detail = "not folded" + text_of(passed);
  return body_bytes(std::move(action));
}

}  // namespace

WorkNoteFile::WorkNoteFile(void* page)
    : page_(page),
      note_(std::make_unique<core::WorkNote>(
          std::span(static_cast<std::byte*>(page), core::WorkNote::kBytes))) {}

WorkNoteFile::~WorkNoteFile() {
  note_.reset();
  ::munmap(page_, core::WorkNote::kBytes);
}

/// Its bytes are written first, so that a full disk is an error here and not a signal later.
Result<std::unique_ptr<WorkNoteFile>> WorkNoteFile::open(const fs::path& path) {
  auto file = storage::File::open(path);
  if (!file && file.error().kind == ErrorKind::not_found) file = storage::File::create(path);
  if (!file) return tl::unexpected(file.error());
  const auto size = file->size();
  if (!size) return tl::unexpected(size.error());
  if (*size != core::WorkNote::kBytes) {
    if (auto cut = file->truncate(0); !cut) return tl::unexpected(cut.error());
    if (auto written = file->write_at(0, Bytes(core::WorkNote::kBytes)); !written)
      return tl::unexpected(written.error());
  }
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  void* page = descriptor < 0 ? MAP_FAILED
                              : ::mmap(nullptr, core::WorkNote::kBytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                                       descriptor, 0);
  if (descriptor >= 0) ::close(descriptor);
  if (page == MAP_FAILED) {
    return fail(ErrorKind::unavailable, "`" + path.string() + "` cannot be mapped: look at the file system");
  }
  return std::unique_ptr<WorkNoteFile>(new WorkNoteFile(page));
}

std::unique_ptr<WorkNoteFile> open_work_note(const fs::path& data) {
  auto opened = WorkNoteFile::open(data / kWorkNoteFile);
  if (!opened) {
    log_notice("work-note",
               "what the hub falls over will not be known at its next start: " + opened.error().text);
    return nullptr;
  }
  tell_of_last((*opened)->note());
  return std::move(*opened);
}

Result<void> record_passed_over(const core::WorkNote& note, storage::Ledger& ledger, storage::Sealer& sealer,
                                storage::Vault& vault, const storage::StateStore& store, Timestamp now) {
  std::vector<Sequence> given_up;
  for (const core::Work& work : note.given_up()) {
    const bool due = work.sequence > store.applied() && work.sequence <= ledger.head();
    if (work.step == core::Step::fold && due) given_up.push_back(work.sequence);
  }
  if (given_up.empty()) return {};
  std::ranges::sort(given_up);
  std::vector<Passed> passed;
  for (const Sequence sequence : given_up) {
    const auto found = ledger.read(sequence, 1, 1);
    if (!found) return tl::unexpected(found.error());
    if (!found->empty() && may_be_passed_over(found->front().header.kind)) {
      passed.push_back(passed_over(found->front(), sealer));
      continue;
    }
    return fail(ErrorKind::corrupt,
                "the hub fell over entry " + std::to_string(sequence) +
                    " each time that it folded it, and without it might show or do what nobody may: keep "
                    "the data directory as it is and ask for help");
  }
  // Under a vault that is older than the ledger nothing new is sealed: the right one would not open it.
  if (auto tried = care::try_entries(ledger, sealer, ledger.head()); !tried) return tried;
  const auto newest = ledger.read(ledger.head(), 1, 1);
  if (!newest) return tl::unexpected(newest.error());
  if (!newest->empty()) now = std::max(now, newest->front().header.appended_at);
  // The day's key is known once all is folded.
  const auto key = vault.mint();
  if (!key) return tl::unexpected(key.error());
  OwnEntries entries(ledger, sealer, *key, now);
  for (const Passed& each : passed) {
    if (auto added = entries.add(storage::EntryKind::operator_action, record_of(each)); !added) return added;
  }
  if (auto flushed = entries.flush(); !flushed) return flushed;
  for (const Passed& each : passed) {
    log_alarm("hub_falls_over", "entry " + std::to_string(each.sequence) +
                                    " is not folded into the state, because the hub fell over it again and "
                                    "again" +
                                    text_of(each));
  }
  return {};
}

}  // namespace carehub::server
