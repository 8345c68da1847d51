-- Adds jobs, due now or later.
for _, job in ipairs(call.jobs) do
    if job.due_at then
        queue.enqueue_at(job.due_at, job.id, job.payload)
    else
        queue.enqueue(job.id, job.payload)
    end
end
return true
