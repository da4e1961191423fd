/* All suites, in the order in which they run: lower floors first. */
#define UNIT_SUITES(X)                                                                                                 \
    X(core)                                                                                                            \
    X(shape)                                                                                                           \
    X(io_yaml)                                                                                                         \
    X(io_file)                                                                                                         \
    X(io_dataset)                                                                                                      \
    X(io_promise)                                                                                                      \
    X(io_hdf5)                                                                                                         \
    X(io_labels)                                                                                                       \
    X(io_image)                                                                                                        \
    X(io_import)                                                                                                       \
    X(io_ckpt)                                                                                                         \
    X(io_hostile)                                                                                                      \
    X(data_sampler)                                                                                                    \
    X(data_augment)                                                                                                    \
    X(data_loader)                                                                                                     \
    X(data_held_out)                                                                                                   \
    X(data_split)                                                                                                      \
    X(data_scale)                                                                                                      \
    X(kernels)                                                                                                         \
    X(conv)                                                                                                            \
    X(conv_plan)                                                                                                       \
    X(kernels_loops)                                                                                                   \
    X(bf16)                                                                                                            \
    X(tree)                                                                                                            \
    X(cuts)                                                                                                            \
    X(network)                                                                                                         \
    X(forecast)                                                                                                        \
    X(ops)                                                                                                             \
    X(elements)                                                                                                        \
    X(convolution)                                                                                                     \
    X(init)                                                                                                            \
    X(expand)                                                                                                          \
    X(graph)                                                                                                           \
    X(plan)                                                                                                            \
    X(leaves)                                                                                                          \
    X(native)                                                                                                          \
    X(mixed)                                                                                                           \
    X(models)                                                                                                          \
    X(heads)                                                                                                           \
    X(partials)                                                                                                        \
    X(losses)                                                                                                          \
    X(targets)                                                                                                         \
    X(soft_targets)                                                                                                    \
    X(traps)                                                                                                           \
    X(norm)                                                                                                            \
    X(evaluation)                                                                                                      \
    X(golden)                                                                                                          \
    X(trajectories)                                                                                                    \
    X(golden_ops)                                                                                                      \
    X(golden_optim)                                                                                                    \
    X(optim)                                                                                                           \
    X(optim_tables)                                                                                                    \
    X(gradient)                                                                                                        \
    X(release)                                                                                                         \
    X(frozen)                                                                                                          \
    X(reference)                                                                                                       \
    X(experiment)                                                                                                      \
    X(state)                                                                                                           \
    X(registered)                                                                                                      \
    X(sized)                                                                                                           \
    X(callbacks)                                                                                                       \
    X(guest)                                                                                                           \
    X(contract)                                                                                                        \
    X(standing)                                                                                                        \
    X(rise)                                                                                                            \
    X(straggler)                                                                                                       \
    X(metrics)                                                                                                         \
    X(checkpoints)
#define MPI_SUITES(X)                                                                                                  \
    X(comm)                                                                                                            \
    X(exchange)                                                                                                        \
    X(exchange_passes)
#define E2E_SUITES(X)                                                                                                  \
    X(e2e_cli)                                                                                                         \
    X(e2e_data)                                                                                                        \
    X(e2e_hdf5)                                                                                                        \
    X(e2e_paths)                                                                                                       \
    X(e2e_pictures)                                                                                                    \
    X(e2e_bad_input)                                                                                                   \
    X(e2e_advice)                                                                                                      \
    X(e2e_train)                                                                                                       \
    X(e2e_eval)                                                                                                        \
    X(e2e_plan)                                                                                                        \
    X(e2e_optim)                                                                                                       \
    X(e2e_phases)                                                                                                      \
    X(e2e_resume)                                                                                                      \
    X(e2e_change)                                                                                                      \
    X(e2e_diverge)                                                                                                     \
    X(e2e_disk)                                                                                                        \
    X(e2e_targets)                                                                                                     \
    X(e2e_contract)                                                                                                    \
    X(e2e_install)                                                                                                     \
    X(launch)                                                                                                          \
    X(e2e_launch)                                                                                                      \
    X(e2e_restart)
/* Only when asked for: --slow, or by name. */
#define SLOW_SUITES(X)                                                                                                 \
    X(networks)                                                                                                        \
    X(faults)
