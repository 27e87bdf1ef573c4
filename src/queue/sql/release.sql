-- $1 jobs, $2 fences, $3 how long until they are due again (ms), $4 why, if there is more to say: given back unfinished on purpose,
-- so the attempt does not count. Those that somebody wants cancelled stay.
with free as (
  update civicum.job j
  set status = 'pending', attempt = attempt - 1, worker_id = null, lease_until = null, deadline = null, run_at = now() + $3 * interval '1 ms',
    progress_done = 0, progress_total = 0, last_error = coalesce($4, j.last_error)
  from unnest($1::bigint[], $2::integer[]) as held (id, fence)
  where j.id = held.id and j.fence = held.fence and j.status = 'running' and not j.cancel_requested
  returning j.id
)
-- Nobody is woken for what is not due.
select count(pg_notify('civicum_job', '')) from free where $3 = 0
