# @summary Brings class picket to hosts in growing batches, and stops at the first batch that is not proved to protect
#
# Each batch gets the class (its data from Hiera) and then task picket::verify. Where a host fails, the hosts of later
# batches stay as they are. On the failed ones the installer has undone what it did, or says what is left to do.
#
# @param targets
#   The hosts. The first ones are the canaries.
# @param canaries
#   Size of the first batch.
# @param factor
#   How many times larger each next batch is.
# @param noop
#   Only say what would change.
# @return [Hash]
#   The hosts in order, batch by batch.
#
# @example
#   bolt plan run picket::rollout --targets web canaries=2
plan picket::rollout(
  TargetSpec $targets,
  Integer[1] $canaries = 1,
  Integer[1] $factor = 3,
  Boolean $noop = false,
) {
  $hosts = get_targets($targets)
  $batches = picket::batches($hosts, $canaries, $factor)

  $batches.each |$index, $batch| {
    $names = $batch.map |$host| { $host.name }.join(', ')
    out::message("Batch ${$index + 1} of ${batches.length}: ${names}")

    $prepared = apply_prep($batch, '_catch_errors' => true)
    $applied = apply($batch, '_catch_errors' => true, '_noop' => $noop) {
      include picket
    }
    $results = $noop ? {
      true    => [$prepared, $applied],
      default => [$prepared, $applied, run_task('picket::verify', $batch, '_catch_errors' => true)],
    }
    $failed = $results.reduce([]) |$list, $result| {
      $list + $result.error_set.map |$one| { { 'host' => $one.target.name, 'reason' => $one.error.message } }
    }

    unless $failed.empty {
      $later = $hosts.length - $batches[0, $index + 1].flatten.length
      $reasons = $failed.map |$one| { "${one['host']}: ${one['reason']}" }.unique.join('; ')
      fail_plan(
        "Stopped at batch ${$index + 1} of ${batches.length}; ${later} hosts were not touched. ${reasons}",
        'picket/rollout-stopped',
        { 'failed' => $failed, 'untouched' => $later }
      )
    }
  }

  return({ 'batches' => $batches.map |$batch| { $batch.map |$host| { $host.name } } })
}
