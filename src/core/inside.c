#define _GNU_SOURCE
#include "core/inside.h"

#include <locale.h>
#include <signal.h>
#include <stddef.h>

static _Thread_local const struct cvy_outside *outermost;

#if defined(__SSE__)
#include <xmmintrin.h>
static void flush_denormals(void) {
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* FTZ and DAZ */
}
#elif defined(__aarch64__)
static void flush_denormals(void) {
    unsigned long fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (1ul << 24)));
}
#else
static void flush_denormals(void) {}
#endif

static void save(struct cvy_outside *out) {
    fegetenv(&out->floats);
    out->locale = (void *)uselocale((locale_t)0);
    out->first = outermost;
}

static void restore(const struct cvy_outside *from) {
    fesetenv(&from->floats);
    uselocale((locale_t)from->locale);
}

void cvy_thread_settle(void) {
    fesetenv(FE_DFL_ENV);
    flush_denormals();
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a constant of the C library */
    if (plain) uselocale(plain);
}

void cvy_enter(struct cvy_outside *outside) {
    save(outside);
    if (outermost == NULL) outermost = outside;
    cvy_thread_settle();
}

void cvy_leave(struct cvy_outside *outside) {
    restore(outside);
    outermost = outside->first;
}

struct cvy_outside cvy_outside_now(void) {
    struct cvy_outside now;
    if (outermost) return *outermost;
    save(&now);
    return now;
}

void cvy_go_outside(const struct cvy_outside *theirs, struct cvy_outside *ours) {
    save(ours);
    outermost = NULL;
    restore(theirs);
}

int cvy_thread_start(pthread_t *thread, void *(*run)(void *), void *arg) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}
