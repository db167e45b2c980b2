export { allowCaller } from './allow-caller.ts';
export { enrolCaller } from './enrol.ts';
export { exceptCaller } from './except-caller.ts';
export { exemptPort } from './exempt-port.ts';
export { forbiddenForm } from './forbidden.ts';
export { showPolicy } from './kubectl.ts';
export { openHbonePort } from './open-hbone-port.ts';
export { type StepOptions, step } from './step.ts';
export { callThroughWaypoint, throughWaypoint } from './through-waypoint.ts';
