/* Included before every file of src/comm when it is compiled for simulated ranks (make scale): what is computed, copied
 * or allocated there is counted in simulated time instead, and the files themselves are as they are. */
#ifndef CVY_SCALE_STAND_H
#define CVY_SCALE_STAND_H

#include <mpi.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Gradients without content: large blocks have addresses and no memory, messages of them carry one block that is the
 * same for all ranks, and what moves floats in them moves nothing but the clock. Else all is done, and costs time as
 * well. */
extern bool stand_empty;
extern double stand_copied; /* s a byte that is copied or added */
extern double stand_pause;  /* s between two polls of one who waits */
enum { STAND_TAGS = 4096 };
extern int stand_sent[STAND_TAGS]; /* messages by tag */

void *stand_memcpy(void *to, const void *from, size_t bytes);
int stand_isend(const void *from, int count, MPI_Datatype type, int peer, int tag, MPI_Comm comm, MPI_Request *request);
int stand_yield(void); /* others are declared where the library's are */
int stand_irecv(void *to, int count, MPI_Datatype type, int peer, int tag, MPI_Comm comm, MPI_Request *request);
void stand_work(double seconds);

#ifndef CVY_SCALE_STAND_ITSELF
#define memcpy      stand_memcpy
#define sched_yield stand_yield
#undef nanosleep
#define nanosleep(time, left) stand_yield()
#define cvy_clock             stand_clock
#define cvy_alloc             stand_alloc
#define cvy_free              stand_free
#define cvy_vec_add           stand_add_to
#define cvy_vec_add_serial    stand_add_to
#define MPI_Isend             stand_isend
#define MPI_Irecv             stand_irecv
#define MPI_Query_thread(out) (*(out) = MPI_THREAD_SINGLE, MPI_SUCCESS)
#endif

#endif
