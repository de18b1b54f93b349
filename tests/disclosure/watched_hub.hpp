#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/server/hub.hpp"
#include "broker/storage/cosigner.hpp"
#include "tests/disclosure/policy_model.hpp"
#include "tests/disclosure/wire_peer.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

namespace carehub::disclosure {

/// A way into the hub.
enum class Way { inproc, ipc, tcp };
const char* name_of(Way way);

/// A real hub of these agencies under this policy, on a directory of its own.
class WatchedHub {
 public:
  WatchedHub(std::vector<core::Agency> agencies, const PolicyModel& policy);

  /// A client of the agency; of nobody's: an operator. Over TCP it has the agency's own CURVE keys.
  WirePeer peer(Way way, const std::string& agency) const;

  const core::Agency& agency(const std::string& id) const;
  const std::vector<core::Agency>& agencies() const { return agencies_; }
  const fakes::TemporaryDirectory& directory() const { return directory_; }
  const storage::Cosigner& witness() const { return witness_; }

 private:
  struct Keys {
    std::string public_key;
    std::string secret_key;
    static Keys made();
  };

  fakes::TemporaryDirectory directory_;
  fakes::SeededRandom random_{1};
  storage::Cosigner witness_ = *storage::Cosigner::make("witness.example", random_);
  std::vector<core::Agency> agencies_;
  Keys hub_keys_ = Keys::made();
  std::map<std::string, Keys> keys_;  // by agency
  std::unique_ptr<server::Hub> hub_;
};

/// 2026-03-01, of the clock that agreements are judged by.
std::string today();

}  // namespace carehub::disclosure
