#pragma once

#include <filesystem>
#include <memory>

#include "broker/core/work_note.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "broker/storage/state_store.hpp"

namespace carehub::server {

/// A file in the data directory: what the hub is at.
constexpr const char* kWorkNoteFile = "work.note";

/// The hub's note of what it is at, as a mapped file that is never synced: what was noted outlives the
/// process, and a power cut needs no note. Open it where nobody else can: behind the ledger's lock.
class WorkNoteFile {
 public:
  /// Error `unavailable`: the file cannot be made or mapped.
  static Result<std::unique_ptr<WorkNoteFile>> open(const std::filesystem::path& file);
  ~WorkNoteFile();
  WorkNoteFile(const WorkNoteFile&) = delete;
  WorkNoteFile& operator=(const WorkNoteFile&) = delete;

  core::WorkNote& note() { return *note_; }

 private:
  explicit WorkNoteFile(void* page);
  void* page_;
  std::unique_ptr<core::WorkNote> note_;
};

/// The file in this data directory; where it cannot be had, that is logged and nullptr. Logs what the run
/// before was at when it ended.
std::unique_ptr<WorkNoteFile> open_work_note(const std::filesystem::path& data);

/// Before the state is brought up to the ledger's head: what it will pass over because the hub fell over it
/// is put on record, durably, and told. Error `corrupt`: one of these says who may see or do what, and is not
/// passed over.
Result<void> record_passed_over(const core::WorkNote& note, storage::Ledger& ledger, storage::Sealer& sealer,
                                storage::Vault& vault, const storage::StateStore& store, Timestamp now);

}  // namespace carehub::server
