/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory, semaphores and queues, as System V and POSIX have them. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd = -1;
static pid_t child;
static char *memory;

static bool sysv_shm_make(void)
{
	NEED((fd = shmget(0x7a01, 8192, IPC_CREAT | 0600)) >= 0);
	NEED((memory = shmat(fd, NULL, 0)) != (void *)-1);
	memcpy(memory, "hello", 6);
	return true;
}

static bool sysv_shm_same(void)
{
	struct shmid_ds ds;

	NEED(strcmp(memory, "hello") == 0);
	NEED(shmget(0x7a01, 8192, 0) == fd);
	NEED(shmctl(fd, IPC_STAT, &ds) == 0 && ds.shm_nattch == 1);
	return true;
}

static bool sysv_removed_make(void)
{
	NEED((fd = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600)) >= 0);
	NEED((memory = shmat(fd, NULL, 0)) != (void *)-1);
	NEED(shmctl(fd, IPC_RMID, NULL) == 0);
	memcpy(memory, "hello", 6);
	return true;
}

static bool sysv_removed_same(void)
{
	NEED(strcmp(memory, "hello") == 0);
	return true;
}

static bool sysv_sem_make(void)
{
	NEED((fd = semget(0x7a02, 2, IPC_CREAT | 0600)) >= 0);
	NEED(semctl(fd, 1, SETVAL, 5) == 0);
	return true;
}

static bool sysv_sem_same(void)
{
	NEED(semget(0x7a02, 2, 0) == fd);
	NEED(semctl(fd, 1, GETVAL) == 5);
	return true;
}

static bool undoes(void)
{
	struct sembuf take = { .sem_op = -1, .sem_flg = SEM_UNDO };

	NEED(semop(fd, &take, 1) == 0);
	return true;
}

static bool sysv_undo_make(void)
{
	NEED((fd = semget(0x7a03, 1, IPC_CREAT | 0600)) >= 0);
	NEED(semctl(fd, 0, SETVAL, 5) == 0);
	NEED((child = zoo_child_ready(undoes)) > 0);
	return true;
}

static bool sysv_undo_same(void)
{
	NEED(child > 0 && semctl(fd, 0, GETVAL) == 4);
	NEED(kill(child, SIGKILL) == 0 && zoo_status(child) == SIGKILL);
	child = 0; /* its number may be somebody else's from now on */
	NEED(semctl(fd, 0, GETVAL) == 5);
	return sysv_undo_make();
}

static bool sysv_msg_make(void)
{
	struct {
		long type;
		char text[6];
	} m = { 3, "hello" };

	NEED((fd = msgget(0x7a04, IPC_CREAT | 0600)) >= 0);
	NEED(msgsnd(fd, &m, sizeof(m.text), 0) == 0);
	return true;
}

static bool sysv_msg_same(void)
{
	struct {
		long type;
		char text[6];
	} m;

	NEED(msgget(0x7a04, 0) == fd);
	NEED(msgrcv(fd, &m, sizeof(m.text), 3, IPC_NOWAIT) == sizeof(m.text));
	NEED(strcmp(m.text, "hello") == 0);
	return sysv_msg_make();
}

static bool posix_sem_make(void)
{
	mkdir("/dev/shm", 01777);
	NEED((memory = (char *)sem_open("/zoo", O_CREAT, 0600, 3)) != (char *)SEM_FAILED);
	return true;
}

static bool posix_sem_same(void)
{
	int value;

	NEED(sem_getvalue((sem_t *)memory, &value) == 0 && value == 3);
	return true;
}

static bool mqueue_make(void)
{
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = 16 };

	NEED((fd = mq_open("/zoo", O_CREAT | O_RDWR, 0600, &a)) >= 0);
	NEED(mq_send(fd, "hello", 6, 1) == 0);
	return true;
}

const struct state zoo_ipc[] = {
	{ "sysv-shm", sysv_shm_make, sysv_shm_same },
	{ "sysv-removed", sysv_removed_make, sysv_removed_same },
	{ "sysv-sem", sysv_sem_make, sysv_sem_same },
	{ "sysv-undo", sysv_undo_make, sysv_undo_same },
	{ "sysv-msg", sysv_msg_make, sysv_msg_same },
	{ "posix-sem", posix_sem_make, posix_sem_same },
	{ "mqueue", mqueue_make, NULL },
	{ NULL, NULL, NULL },
};
