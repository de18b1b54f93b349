#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "broker/client/hub_client.hpp"
#include "broker/core/rules.hpp"

/// The little county that `carehub bench` measures: every agency, child and number in it is invented.
namespace carehub::app {

constexpr const char* kBenchPublisher = "elwick-hospital";
constexpr const char* kBenchRole = "social-care-duty";  // sees every field; history is asked for as this role

struct BenchSubscription {
  std::string agency;
  std::string name;
  std::string role;
};

/// A council's desk that sees all, a commissioner and schools that see what their rules leave. Each event
/// concerns the council, the commissioner and exactly one of the schools, so that the deliveries of an event
/// stay at three however many schools there are. All schools share an agency and thus a connection.
std::vector<BenchSubscription> bench_subscriptions(std::uint32_t count);
core::HubRules bench_rules(std::uint32_t subscriptions);
/// How many deliveries an event has.
std::uint32_t bench_matches(std::uint32_t subscriptions);

/// Admissions of about `bytes` bytes of children chosen by the seed. The run's number keeps the ids of two
/// runs on the same ledger apart.
class BenchEvents {
 public:
  struct Shape {
    std::uint32_t children = 0;
    std::uint32_t subscriptions = 0;
    std::uint32_t bytes = 0;
    std::uint64_t seed = 0;
    std::uint64_t run = 0;
  };
  static constexpr std::uint32_t kChildrenMax = 900'000;  // the test range of NHS numbers has no more

  explicit BenchEvents(const Shape& shape);

  client::Publication next();
  std::size_t event_bytes() const { return form_.size(); }
  /// "nhs:VALUE" of any child by the seed.
  std::string any_person();

 private:
  void write(Bytes& event, std::size_t at, std::string_view text) const;
  std::string_view number_of(std::uint32_t child) const;

  std::uint32_t children_;
  std::uint32_t schools_;
  std::mt19937_64 random_;
  std::string numbers_;  // 10 characters a child
  Bytes form_;           // an event whose id, NHS number and school are written over
  std::size_t id_at_ = 0, number_at_ = 0, school_at_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace carehub::app
