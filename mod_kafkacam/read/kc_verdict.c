#include "kc_verdict.h"

kc_verdict_t kc_verdict_judge(kc_verdict_memory_t *memory, apr_int64_t position, apr_int64_t end)
{
    kc_verdict_t verdict = KC_VERDICT_HEALTHY;

    if (position >= 0 && end >= 0) {
        if (end < position) {
            verdict = KC_VERDICT_OTHER;
        }
        else if (position == memory->position && memory->end > position) {
            verdict = KC_VERDICT_STUCK;
        }
    }
    memory->end = verdict == KC_VERDICT_HEALTHY ? end : -1;
    memory->position = position;
    return verdict;
}
