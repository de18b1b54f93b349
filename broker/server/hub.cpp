#include "broker/server/hub.hpp"

#include <pthread.h>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "broker/base/limits.hpp"
#include "broker/core/disclosure.hpp"
#include "broker/server/erasures.hpp"
#include "broker/server/falls.hpp"
#include "broker/server/log.hpp"
#include "broker/server/loop.hpp"
#include "broker/server/recover.hpp"
#include "broker/server/worker.hpp"
#include "broker/server/zmq_transport.hpp"
#include "broker/storage/backup.hpp"
#include "broker/storage/file.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "broker/storage/signing_key.hpp"

namespace carehub::server {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t kStepMs = 500;
constexpr std::size_t kStateRowsMin = 65'536;

struct ContextCloser {
  void operator()(void* context) const { zmq_ctx_term(context); }
};

std::function<void(std::function<void()>)> apart(Worker& worker) {
  return [&worker](std::function<void()> work) { worker.run(std::move(work)); };
}

void tell(const std::vector<std::string>& notices) {
  for (const std::string& notice : notices) log_notice("start-mended", notice);
}

}  // namespace

struct Hub::Impl {
  explicit Impl(HubOptions given) : options(std::move(given)) {
    clock = options.clock != nullptr ? options.clock : &system_clock;
    random = options.random != nullptr ? options.random : &system_random;
  }
  ~Impl() { static_cast<void>(stop()); }

  Result<void> open_storage();
  Result<void> open_vault();
  Result<void> open_state();
  Result<void> record_passed();
  Result<void> catch_up();
  Result<core::Decision> start_engine();
  Result<void> open_network();
  core::WorkNote* note() { return work_note != nullptr ? &work_note->note() : nullptr; }
  void prepare_backups();
  void serve();
  void publish_statistics();
  Result<void> stop();

  HubOptions options;
  SystemClock system_clock;
  SystemRandom system_random;
  const Clock* clock = nullptr;
  Random* random = nullptr;
  std::unique_ptr<void, ContextCloser> context;

  std::unique_ptr<storage::RocksLedger> ledger;
  std::unique_ptr<storage::Vault> vault;
  storage::CopyVault copy_vault;
  storage::VerifyVault verify_vault;
  std::unique_ptr<WorkNoteFile> work_note;
  std::unique_ptr<storage::StateStore> store;
  std::unique_ptr<storage::Sealer> sealer;
  std::unique_ptr<care::State> state;
  std::unique_ptr<Worker> state_writer;
  std::unique_ptr<Worker> batch_sealer;
  std::unique_ptr<Worker> replay_reader;
  std::unique_ptr<core::Engine> engine;
  std::unique_ptr<care::History> history;
  std::unique_ptr<Witnesses> witnesses;
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<ZmqTransport> transport;
  std::unique_ptr<Backups> backups;
  std::unique_ptr<Scrubbing> scrubbing;
  std::unique_ptr<Loop> loop;

  std::thread thread;
  std::atomic<bool> stopping = false;
  std::atomic<bool> running = false;
  bool stopped = false;

  mutable std::mutex mutex;  // callers read counts and leave their callback while the loop runs
  Statistics statistics;
  std::optional<Error> failure;
  std::function<void(Error)> report;
};

Result<void> Hub::Impl::open_storage() {
  if (auto made = storage::make_writable_directory(options.data); !made) return made;
  std::error_code error;
  fs::permissions(options.data, fs::perms::owner_all, error);
  if (error) {
    return fail(ErrorKind::unavailable,
                "data directory `" + options.data.string() + "` is not ours: " + error.message());
  }
  if (auto recorded = refuse_unrecorded_loss(options.data); !recorded) return recorded;
  auto signer = storage::open_signing_key(
      {options.signing_key_file.empty() ? options.data / kSigningKeyFile : options.signing_key_file,
       options.data / storage::kCheckpointKeysFile},
      storage::origin_or_usual(options.origin, options.data / storage::kCheckpointKeysFile, options.name),
      *random);
  if (!signer) return tl::unexpected(signer.error());
  auto opened = storage::RocksLedger::open(options.data, std::move(*signer));
  if (!opened) return tl::unexpected(opened.error());
  tell(opened->notices);
  ledger = std::move(opened->ledger);
  if (auto vaulted = open_vault(); !vaulted) return vaulted;
  sealer = std::make_unique<storage::Sealer>(*vault, *random);
  work_note = open_work_note(options.data);
  return open_state();
}

Result<void> Hub::Impl::open_vault() {
  const fs::path file = options.data / kVaultFile;
  std::error_code error;
  if (ledger->head() > 0 && !fs::exists(file, error)) {
    return fail(ErrorKind::corrupt, "vault `" + file.string() +
                                        "` is missing, but the ledger holds entries that " +
                                        "only its keys open: restore it, and nothing else");
  }
  auto opened = storage::open_vault(file, options.master_key, *random, options.vault_copies);
  if (!opened) return tl::unexpected(opened.error());
  tell(opened->notices);
  vault = std::move(opened->vault);
  copy_vault = std::move(opened->copy);
  verify_vault = std::move(opened->verify);
  return {};
}

/// State is made again from the ledger when it is damaged or ahead; a ledger that cannot be read or a vault
/// that lacks its keys is no fault of the state's, which stays.
Result<void> Hub::Impl::open_state() {
  auto opened = storage::RocksStateStore::open(options.data);
  Result<void> caught;
  if (opened) {
    store = std::move(*opened);
    if (auto recorded = record_passed(); !recorded) return recorded;
    caught = catch_up();
  } else {
    caught = tl::unexpected(opened.error());
  }
  if (caught || caught.error().kind != ErrorKind::corrupt) return caught;
  const Sequence unfolded = store != nullptr ? store->applied() + 1 : ledger->head();
  if (auto tried = care::try_entries(*ledger, *sealer, unfolded); !tried) return tried;
  log_notice("state-rebuilt", "the state is made again from the ledger, because: " + caught.error().text);
  state.reset();
  store.reset();
  if (auto destroyed = storage::RocksStateStore::destroy(options.data); !destroyed) return destroyed;
  opened = storage::RocksStateStore::open(options.data);
  if (!opened) return tl::unexpected(opened.error());
  store = std::move(*opened);
  if (auto recorded = record_passed(); !recorded) return recorded;
  return catch_up();
}

Result<void> Hub::Impl::record_passed() {
  if (work_note == nullptr) return {};
  return record_passed_over(*note(), *ledger, *sealer, *vault, *store, clock->now());
}

Result<void> Hub::Impl::catch_up() {
  state = std::make_unique<care::State>(*store, *ledger, *sealer);
  auto caught = state->catch_up(options.progress ? options.progress : [](Sequence, Sequence) {}, note());
  if (!caught) return caught;
  auto finished = finish_erasures(*state, *vault);
  if (!finished) return tl::unexpected(finished.error());
  if (*finished > 0) {
    log_notice("erasure-finished", std::to_string(*finished) +
                                       " keys that the ledger says are erased were in the vault, and are "
                                       "destroyed now");
  }
  return {};
}

Result<core::Decision> Hub::Impl::start_engine() {
  engine = std::make_unique<core::Engine>(*state, *state, *vault, *random, note());
  auto folded = state->engine_state();
  if (!folded) return tl::unexpected(folded.error());
  core::Decision decision;
  if (auto started = engine->start(options.rules, std::move(*folded), clock->now(), decision); !started) {
    return tl::unexpected(started.error());
  }
  folded = state->engine_state();  // the policy's version is known now
  if (!folded) return tl::unexpected(folded.error());
  const std::uint64_t version = folded->policies.empty() ? 0 : folded->policies.back().version;
  auto policy = core::Disclosure::parse_policy(options.rules.policy_text, options.rules.policy_file, version);
  if (!policy) return tl::unexpected(policy.error());
  history = std::make_unique<care::History>(*state, *ledger, *sealer, *store, *vault, options.rules.agencies);
  history->use_policy(std::move(*policy));
  auto keys = storage::listed_keys(options.data / storage::kCheckpointKeysFile);
  if (!keys) return tl::unexpected(keys.error());
  witnesses = std::make_unique<Witnesses>(
      Witnesses::Parts{options.witnesses, std::move(*keys), *ledger, options.data / kCosignedFile});
  return decision;
}

Result<void> Hub::Impl::open_network() {
  context.reset(zmq_ctx_new());
  if (context == nullptr) return fail(ErrorKind::unavailable, "no ZeroMQ context: too many open files");
  zmq_ctx_set(context.get(), ZMQ_MAX_SOCKETS, static_cast<int>(4 * limits::kConnectionsMax));
  auto opened = Authenticator::open(context.get(), options.allowed);
  if (!opened) return tl::unexpected(opened.error());
  authenticator = std::move(*opened);
  ZmqTransport::Options network;
  network.context = context.get();
  network.endpoints = {kInprocEndpoint};
  network.endpoints.insert(network.endpoints.end(), options.endpoints.begin(), options.endpoints.end());
  network.curve_secret = options.curve_secret;
  network.authenticator = authenticator.get();
  auto bound = ZmqTransport::open(network);
  if (!bound) return tl::unexpected(bound.error());
  transport = std::move(*bound);
  return {};
}

void Hub::Impl::prepare_backups() {
  backups = std::make_unique<Backups>(
      *engine,
      [this](const wire::BackupT& wanted, const Backups::Told& told) {
        return storage::make_backup(*ledger, copy_vault, {options.data, wanted.ledger, wanted.vault}, told);
      },
      [to = transport.get()] { to->wake(); });
}

void Hub::Impl::publish_statistics() {
  const Statistics now = loop->statistics();
  const std::lock_guard lock(mutex);
  statistics = now;
}

void Hub::Impl::serve() {
  ::pthread_setname_np(::pthread_self(), "hub");
  Result<void> outcome;
  while (outcome && !stopping) {
    outcome = loop->step(kStepMs);
    publish_statistics();
  }
  if (outcome) outcome = loop->drain();
  publish_statistics();
  running = false;
  if (outcome) return;
  log_failure("hub-stopped", outcome.error().text);
  std::function<void(Error)> call;
  {
    const std::lock_guard lock(mutex);
    failure = outcome.error();
    call = report;
  }
  if (call) call(outcome.error());
}

Result<void> Hub::Impl::stop() {
  if (stopped) return {};
  stopped = true;
  stopping = true;
  if (transport != nullptr) transport->wake();
  if (thread.joinable()) thread.join();
  replay_reader.reset();
  batch_sealer.reset();                     // what it has still to seal goes through the loop into the ledger
  if (backups != nullptr) backups->stop();  // it keeps the ledger from being closed
  if (scrubbing != nullptr) scrubbing->stop();
  // The ledger's thread reports into the loop until it is closed.
  Result<void> outcome;
  if (failure) outcome = tl::unexpected(*failure);
  if (ledger != nullptr) {
    if (auto closed = ledger->close(); !closed && outcome) outcome = closed;
  }
  loop.reset();
  backups.reset();
  scrubbing.reset();
  state_writer.reset();
  transport.reset();
  authenticator.reset();
  witnesses.reset();
  history.reset();
  engine.reset();
  state.reset();
  if (store != nullptr) {
    if (auto closed = store->close(); !closed && outcome) outcome = closed;
  }
  store.reset();
  work_note.reset();
  sealer.reset();
  vault.reset();
  ledger.reset();
  return outcome;
}

tl::expected<std::unique_ptr<Hub>, StartError> Hub::start(HubOptions options) {
  using Part = StartError::Part;
  const auto failed = [](const Error& error, Part part) {
    return tl::unexpected<StartError>(StartError{error, part});
  };
  auto impl = std::make_unique<Impl>(std::move(options));
  if (auto opened = impl->open_storage(); !opened) return failed(opened.error(), Part::storage);
  auto started = impl->start_engine();
  if (!started) return failed(started.error(), Part::decisions);
  if (auto opened = impl->open_network(); !opened) return failed(opened.error(), Part::network);
  impl->batch_sealer = std::make_unique<Worker>("seal");
  impl->replay_reader = std::make_unique<Worker>("replay");
  impl->prepare_backups();
  impl->scrubbing = std::make_unique<Scrubbing>(
      *impl->ledger, impl->options.data / kScrubFile,
      Scrubbing::Pace{std::chrono::hours(24) * impl->options.scrub_days}, impl->verify_vault);
  impl->loop = std::make_unique<Loop>(
      LoopParts{*impl->transport,
                *impl->engine,
                *impl->state,
                *impl->history,
                *impl->ledger,
                *impl->sealer,
                *impl->clock,
                impl->options.name,
                apart(*impl->batch_sealer),
                [self = impl.get()](Statistics& to) {
                  to.frames_unaddressed = self->transport->unaddressed();
                  to.frames_beyond_limit = self->transport->beyond_limit();
                  to.keys_refused = self->authenticator->refused();
                  to.scrub = self->scrubbing->far();
                },
                [self = impl.get()](std::string person) {
                  return std::make_unique<care::ErasureSearch>(*self->ledger, *self->sealer, *self->store,
                                                               *self->vault, std::move(person));
                },
                impl->backups.get(),
                impl->witnesses.get(),
                {},
                apart(*impl->replay_reader),
                [self = impl.get()](const core::Policy& policy) { self->history->use_policy(policy); }});
  impl->state_writer = std::make_unique<Worker>("state");
  impl->state->set_pace(
      {kStateRowsMin, apart(*impl->state_writer), [to = impl->transport.get()] { to->wake(); }});
  if (auto begun = impl->loop->begin(std::move(*started)); !begun) {
    return failed(begun.error(), Part::decisions);
  }
  impl->running = true;
  impl->thread = std::thread([self = impl.get()] { self->serve(); });
  return std::unique_ptr<Hub>(new Hub(std::move(impl)));
}

Hub::Hub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hub::~Hub() = default;

Result<void> Hub::stop() { return impl_->stop(); }

bool Hub::running() const { return impl_->running; }

void Hub::on_failure(const std::function<void(Error)>& report) {
  std::optional<Error> already;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->report = report;
    already = impl_->failure;
  }
  if (already) report(*already);
}

std::vector<std::string> Hub::endpoints() const { return impl_->transport->endpoints(); }

void* Hub::zmq_context() const { return impl_->context.get(); }

Result<void> Hub::allow(const std::vector<AllowedKey>& keys) {
  if (auto allowed = impl_->authenticator->allow(keys); !allowed) return allowed;
  impl_->transport->check_keys();
  return {};
}

Statistics Hub::statistics() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->statistics;
}

}  // namespace carehub::server
